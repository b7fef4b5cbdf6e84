#!/bin/sh
# clippy on what runs in Envoy, for the target that it runs on.
set -eu
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/wasm-toolchain.sh"

case $wasm_cargo in
/usr/bin/cargo)
    debian_packages rust-web-clippy
    PATH=/usr/bin:$PATH
    ;;
esac
# shellcheck disable=SC2086 # empty, or one flag
"$wasm_cargo" clippy --locked --target-dir "$wasm_target" \
    -p attache-protocol -p attache-gateway -p attache-filter \
    --target wasm32-unknown-unknown $std_ready -- -D warnings
