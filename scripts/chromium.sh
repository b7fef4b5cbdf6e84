#!/bin/sh
# A browser for the tests of the login and consent pages: Debian's Chromium.
set -eu
. "$(dirname "$0")/steps.sh"

[ -x "${CHROMIUM:-/usr/bin/chromium}" ] && exit 0
debian_packages chromium
