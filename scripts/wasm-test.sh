#!/bin/sh
# The tests of the pure crates, compiled to wasm32 and run in Node.js.
set -eu
. "$(dirname "$0")/steps.sh"
. "$(dirname "$0")/wasm-toolchain.sh"

command -v node >/dev/null || die 'node is missing (Node.js 20 or later)'
# The runner must be of the version that the tests are linked with.
version=$(awk '$0 == "name = \"wasm-bindgen\"" {found = 1} found && $1 == "version" {gsub("\"", "", $3); print $3; exit}' Cargo.lock)
"$root/scripts/tool.sh" wasm-bindgen-cli "$version" wasm-bindgen-test-runner
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$tools/bin/wasm-bindgen-test-runner"
# shellcheck disable=SC2086 # empty, or one flag
"$wasm_cargo" test --locked --target-dir "$wasm_target" --lib \
    -p attache-protocol -p attache-gateway --target wasm32-unknown-unknown $std_ready
