#!/bin/sh
# rustfmt and clippy: on the host everything but the filter, on wasm32 all that runs in Envoy.
# Where rustup lacks the components and cannot fetch them, Debian's stand in.
set -eu
. "$(dirname "$0")/steps.sh"

component() { # component NAME PROGRAM PACKAGE
    "$2" --version >/dev/null 2>&1 && return 0
    command -v rustup >/dev/null && timeout 60 rustup component add "$1" >/dev/null 2>&1 && return 0
    say "no $1 in the toolchain, and rustup cannot fetch it: taking Debian's $3"
    debian_packages rustc-web cargo-web "$3"
    return 1
}

if component rustfmt cargo-fmt rustfmt-web; then
    cargo fmt --all --check
else
    PATH=/usr/bin:$PATH /usr/bin/cargo fmt --all --check
fi
if component clippy cargo-clippy rust-web-clippy; then
    cargo clippy --locked --workspace --exclude attache-filter --all-targets -- -D warnings
else
    PATH=/usr/bin:$PATH RUSTC=/usr/bin/rustc /usr/bin/cargo clippy --locked --target-dir "${CARGO_TARGET_DIR:-target}/debian" \
        --workspace --exclude attache-filter --all-targets -- -D warnings
    export ATTACHE_WASM_TOOLCHAIN=debian
fi
"$root/scripts/lint-wasm.sh"
