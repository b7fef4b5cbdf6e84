#!/bin/sh
# ContextForge, for one example, with the 80 packages that it brings along: in .tools/context-forge, apart from ours.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/envoy.sh"

stamp=$tools/context-forge/.stamp
wanted=$(fingerprint "$(python3 --version)" tests/context-forge/requirements.txt)
done_before "$stamp" "$wanted" && exit 0
say 'installing ContextForge into .tools/context-forge'
rm -rf "$tools/context-forge"
.venv/bin/python3 -m venv "$tools/context-forge"
quietly "$tools/log/context-forge.log" "$tools/context-forge/bin/python3" -m pip install \
    --disable-pip-version-check -r tests/context-forge/requirements.txt
mark_done "$stamp" "$wanted"
