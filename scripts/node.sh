#!/bin/sh
# What the end-to-end tests need of Node.js: tests/clients/node_modules, as its lock file says.
set -eu
. "$(dirname "$0")/steps.sh"

stamp=tests/clients/node_modules/.stamp
wanted=$(fingerprint "$(node --version)" tests/clients/package-lock.json)
done_before "$stamp" "$wanted" && exit 0
command -v npm >/dev/null || die 'npm is missing (Node.js 20 or later)'
say 'installing the Node.js packages of tests/clients'
quietly "$tools/log/node.log" npm ci --prefix tests/clients --ignore-scripts --no-audit --no-fund
mark_done "$stamp" "$wanted"
