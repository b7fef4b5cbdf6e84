#!/bin/sh
# All that the end-to-end tests need besides themselves.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/python.sh"
"$root/scripts/node.sh"
"$root/scripts/node22.sh"
"$root/scripts/chromium.sh"
"$root/scripts/postgres.sh"
"$root/scripts/dex.sh"
"$root/scripts/context-forge.sh"
"$root/scripts/wasm.sh"
