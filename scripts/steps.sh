# Words that the other scripts share: `. scripts/steps.sh`, from any directory.
# Every script may be run again at any time; one that finds its work done says nothing.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root" || exit
tools=$root/.tools

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $*"
    exit 1
}

# fingerprint TEXT... FILE: a word that changes with any of them.
fingerprint() { { printf '%s\n' "$@"; for last; do :; done; cat "$last"; } | sha256sum | cut -c1-32; }

# done_before STAMP WORD: whether the step that STAMP names was finished with this word.
done_before() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# mark_done STAMP WORD: remembers it.
mark_done() { mkdir -p "$(dirname "$1")" && printf '%s\n' "$2" >"$1"; }

# quietly LOG COMMAND...: runs it with its output in a file, which is shown when it fails.
quietly() {
    log=$1
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 && return 0
    say "failed: $*"
    tail -n 40 "$log" >&2
    die "the whole output is in $log"
}

# debian_packages NAME...: installs those that are missing.
debian_packages() {
    missing=
    for package; do
        case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || die "please install:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "please run: sudo apt-get install$missing"
        as_root='sudo -n'
    fi
    say "installing Debian packages:$missing"
    # shellcheck disable=SC2086 # lists of words
    quietly "$tools/log/apt.log" sh -c "
        export DEBIAN_FRONTEND=noninteractive
        $as_root apt-get install -y --no-install-recommends $missing ||
            { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $missing; }"
}
