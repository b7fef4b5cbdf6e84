#!/bin/sh
# PostgreSQL for the tests, 15 or later: Debian's. The tests start servers of their own (postgres-server.sh).
set -eu
. "$(dirname "$0")/steps.sh"

for initdb in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$initdb" ] && exit 0
done
debian_packages postgresql
