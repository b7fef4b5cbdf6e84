#!/bin/sh
# What the end-to-end tests need of Python: the packages of tests/requirements.txt in .venv, and the
# everything-server that the SDK's source distribution carries, in .tools/mcp-everything-server.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/envoy.sh"

stamp=.venv/.packages
wanted=$(fingerprint "$(python3 --version)" tests/requirements.txt)
if ! done_before "$stamp" "$wanted"; then
    say 'installing the Python packages of tests/requirements.txt into .venv'
    quietly "$tools/log/python.log" .venv/bin/python3 -m pip install --disable-pip-version-check \
        -r tests/requirements.txt
    mark_done "$stamp" "$wanted"
fi

server=$tools/mcp-everything-server
sdk=$(grep '^mcp==' tests/requirements.txt) || die 'tests/requirements.txt names no mcp'
done_before "$server/.stamp" "$sdk" && exit 0
say "unpacking the everything-server of the source of $sdk"
rm -rf "$server" "$tools/sdist"
quietly "$tools/log/sdist.log" .venv/bin/python3 -m pip download --disable-pip-version-check \
    --no-deps --no-binary :all: -d "$tools/sdist" "$sdk"
mkdir -p "$server"
tar -xzf "$tools"/sdist/mcp-*.tar.gz -C "$server" --strip-components=4 --wildcards \
    '*/examples/servers/everything-server/*' || die "$sdk carries no everything-server"
mark_done "$server/.stamp" "$sdk"
