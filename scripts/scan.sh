#!/bin/sh
# wapiti against the pages that people see. It is large, and its 79 packages are nobody else's: it has a folder of
# its own, and is not a part of `make test`.
set -eu
. "$(dirname "$0")/steps.sh"
wapiti=wapiti3==3.2.3
"$root/scripts/envoy.sh"
"$root/scripts/wasm.sh"

folder=$tools/wapiti
wanted=$(python3 --version)/$wapiti
if ! done_before "$folder/.stamp" "$wanted"; then
    say "installing $wapiti into .tools (once, some minutes)"
    rm -rf "$folder"
    python3 -m venv "$folder"
    quietly "$tools/log/wapiti.log" "$folder/bin/python3" -m pip install --disable-pip-version-check "$wapiti"
    mark_done "$folder/.stamp" "$wanted"
fi
cargo build --quiet --locked --workspace --exclude attache-filter --bins
WAPITI=$folder/bin/wapiti exec "${CARGO_TARGET_DIR:-target}/debug/scan"
