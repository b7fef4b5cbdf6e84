#!/bin/sh
# tool.sh CRATE VERSION PROGRAM: a program from crates.io, built once into .tools/bin.
set -eu
. "$(dirname "$0")/steps.sh"

crate=$1
version=$2
program=$3
stamp=.tools/bin/.$crate
[ -x ".tools/bin/$program" ] && done_before "$stamp" "$version" && exit 0
say "building $crate $version into .tools (once, some minutes)"
unset CARGO_TARGET_DIR
build() { cargo install --quiet --root "$tools" --version "$version" "$@" "$crate"; }
# The lock file of a crate may name a version that its registry, or a mirror of it, does not have.
mkdir -p .tools/log
build --locked >".tools/log/$crate-locked.log" 2>&1 || quietly ".tools/log/$crate.log" build
mark_done "$stamp" "$version"
