#!/bin/sh
# postgres-server.sh [PORT]: a PostgreSQL server for tests, which goes with all it holds when standard input ends.
# Prints the folder of its socket, where user `attache` needs no password. With PORT it listens there, too, on
# loopback, with TLS (server.crt in that folder) and the password `the-secret-of-the-database`.
set -eu
. "$(dirname "$0")/steps.sh"

for bin in /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && newest=$bin
done
bin=${newest:-}
[ -n "$bin" ] || die 'PostgreSQL is missing: run scripts/postgres.sh'

folder=$(mktemp -d "${TMPDIR:-/tmp}/attache-postgres.XXXXXX")
as=
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    as="setpriv --reuid=$(id -u "$user") --regid=$(id -g "$user") --clear-groups"
fi
log=$folder/log
failed() {
    cat "$log" >&2
    die "$1"
}
# shellcheck disable=SC2317,SC2329 # called by the trap
end() {
    # shellcheck disable=SC2086 # a list of words, here and below
    $as "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' HUP INT TERM
cd "$folder"

printf 'the-secret-of-the-database\n' >password
[ -z "$as" ] || chown -R "$user" "$folder"
# shellcheck disable=SC2086
$as "$bin/initdb" --no-sync -D "$folder/data" -U attache --encoding=UTF8 --locale=C --auth-local=trust \
    --auth-host=scram-sha-256 --pwfile="$folder/password" >"$log" 2>&1 || failed 'initdb failed'
cat >>data/postgresql.conf <<CONF
unix_socket_directories = '$folder'
listen_addresses = ''
max_connections = 300
shared_buffers = 32MB
# What a crash of the machine would do is not what the tests are about.
fsync = off
full_page_writes = off
CONF
if [ $# -gt 0 ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext 'basicConstraints=critical,CA:FALSE' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
        -keyout server.key -out server.crt 2>>"$log" || failed 'openssl failed'
    [ -z "$as" ] || chown "$user" server.key server.crt
    chmod 600 server.key
    chmod 755 "$folder"
    cat >>data/postgresql.conf <<CONF
listen_addresses = '127.0.0.1'
port = $1
ssl = on
ssl_cert_file = '$folder/server.crt'
ssl_key_file = '$folder/server.key'
CONF
fi
# shellcheck disable=SC2086
$as "$bin/pg_ctl" -D "$folder/data" -l "$folder/server.log" -w start >>"$log" 2>&1 || {
    cat "$folder/server.log" >&2
    failed 'the server did not start'
}
printf '%s\n' "$folder"
cat >/dev/null
