#!/bin/sh
# Node.js 22, which the conformance suite and MCP Inspector ask for, whatever the machine has: from a wheel on PyPI,
# into .tools/node22.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/python.sh"

node22=$tools/node22
wanted=$(fingerprint "$(python3 --version)" tests/conformance/requirements.txt)
done_before "$node22/.stamp" "$wanted" && exit 0
say 'installing Node.js 22 into .tools/node22'
rm -rf "$node22"
quietly "$tools/log/node22.log" .venv/bin/python3 -m pip install --disable-pip-version-check \
    --no-deps --target "$node22" -r tests/conformance/requirements.txt
mark_done "$node22/.stamp" "$wanted"
