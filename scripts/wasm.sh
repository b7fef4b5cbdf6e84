#!/bin/sh
# The filter: target/attache.wasm.
# Panics unwind, so that one costs a request and not the VM; the standard library that ships for
# wasm32 aborts, so it is built here.
set -eu
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/wasm-toolchain.sh"

built=$wasm_target/wasm32-unknown-unknown/release/attache.wasm
RUSTFLAGS='-C panic=unwind' "$wasm_cargo" build --release --locked --target-dir "$wasm_target" \
    -p attache-filter --target wasm32-unknown-unknown "$std_sources"
cmp -s "$built" target/attache.wasm && exit 0
mkdir -p target
cp "$built" target/attache.wasm.new && mv target/attache.wasm.new target/attache.wasm
say "target/attache.wasm: $(wc -c <target/attache.wasm) bytes, made by $toolchain"
