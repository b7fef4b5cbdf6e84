#!/bin/sh
# Ten minutes of open streams, calls and clients that leave, or SOAK_SECONDS of them.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/envoy.sh"
"$root/scripts/wasm.sh"
cargo build --quiet --locked --profile service -p attache-authsvc -p attache-tests --bin authsvc --bin soak
# Each open stream is a connection here, and two in Envoy.
ulimit -n "$(ulimit -H -n)"
exec "${CARGO_TARGET_DIR:-target}/service/soak"
