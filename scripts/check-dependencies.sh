#!/bin/sh
# deny.toml: which crates may come in, under which licences, from where.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/tool.sh" cargo-deny 0.20.2 cargo-deny
.tools/bin/cargo-deny --log-level warn check bans licenses sources
say 'cargo-deny: advisories were not checked, their database is not in a package registry'
