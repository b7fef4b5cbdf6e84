#!/bin/sh
# What no compiler looks at: shell syntax, white space, sizes, what must not be in git.
set -eu
. "$(dirname "$0")/steps.sh"

for script in scripts/*.sh .ci/run; do
    bash -n "$script" || die "$script does not parse"
done
if command -v shellcheck >/dev/null; then
    shellcheck -x -P SCRIPTDIR -s sh -S warning scripts/*.sh
fi

bad=$(git grep -lIE '[[:blank:]]+$|^(<<<<<<<|>>>>>>>) ' -- ':!*.snap' ':!*.md' ':!*/wire/*' || true)
[ -z "$bad" ] || die "white space at the end of a line, or a conflict, in: $bad"
bad=$(git ls-files -z | xargs -0 -r stat -c '%s %n' 2>/dev/null | awk '$1 > 1000000 {print $2}')
[ -z "$bad" ] || die "larger than 1 MB: $bad"
bad=$(git ls-files -ci --exclude-standard)
[ -z "$bad" ] || die "in git although .gitignore names it: $bad"
