# Which compiler makes wasm32: `. scripts/wasm-toolchain.sh` after steps.sh.
# Sets `toolchain` (what was picked and why), `wasm_cargo`, `std_sources` (flags that build the standard
# library), `std_ready` (the same, or nothing where a ready-made one is installed) and exports what cargo needs.
# ATTACHE_WASM_TOOLCHAIN=rustup|debian overrules the choice.
# shellcheck disable=SC2034 # its variables are for whoever sources it

has_sources() { [ -f "$1/lib/rustlib/src/rust/library/Cargo.lock" ]; }

# The linker that rustup's toolchain brings, or Debian's.
find_linker() {
    host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
    for linker in "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/$host/bin/rust-lld" /usr/bin/wasm-ld-*; do
        [ -x "$linker" ] && return 0
    done
    debian_packages lld
    for linker in /usr/bin/wasm-ld-*; do
        [ -x "$linker" ] && return 0
    done
    die 'no linker for wasm32: neither rust-lld of a rustup toolchain nor wasm-ld of Debian'
}

pick_rustup() {
    command -v rustc >/dev/null || return 1
    sysroot=$(rustc --print sysroot)
    why='the sources of its standard library are installed'
    if ! has_sources "$sysroot"; then
        command -v rustup >/dev/null || return 1
        say 'asking rustup for the sources of the standard library (at most a minute)'
        timeout 60 rustup component add rust-src >/dev/null 2>&1 || return 1
        has_sources "$sysroot" || return 1
        why='rustup has just fetched the sources of its standard library'
    fi
    wasm_cargo=cargo
    toolchain="$(rustc --version | cut -d' ' -f1-2) of rustup: $why"
    [ -d "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib" ] && std_ready=
    return 0
}

pick_debian() {
    command -v apt-get >/dev/null || die 'rustup cannot fetch rust-src here (rustup component add rust-src), and this is not Debian'
    debian_packages rustc-web cargo-web rust-web-src
    wasm_cargo=/usr/bin/cargo
    find_linker
    export RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$linker"
    toolchain="$($RUSTC --version | cut -d' ' -f1-2) of Debian's rustc-web: rustup has no sources of the standard library and cannot fetch them"
}

# Building the standard library is an unstable option; both compilers are stable ones. The option is seen by
# build scripts, so what is built with it has its own directory.
export RUSTC_BOOTSTRAP=1
wasm_target=${CARGO_TARGET_DIR:-target}/wasm
std_sources='-Zbuild-std=std,panic_unwind'
std_ready='-Zbuild-std=std,panic_abort'
case ${ATTACHE_WASM_TOOLCHAIN:-} in
rustup) pick_rustup || die 'rustup has no sources of the standard library and cannot fetch them' ;;
debian) pick_debian ;;
'') pick_rustup || pick_debian ;;
*) die "ATTACHE_WASM_TOOLCHAIN is $ATTACHE_WASM_TOOLCHAIN, it may be rustup or debian" ;;
esac
