#!/bin/sh
# Makes sure that the machine can build and test the console: Node.js, npm and a
# Chromium. What is missing is installed on Debian and its relatives, as root or
# by sudo; elsewhere, or where the packages are too old, it says what to install.
# "needs.sh node" leaves the browser out.
set -eu

# node_is_new: the build tool of the page needs 20.19, or 22.12 and later.
node_is_new() {
	node -e 'const [a, b] = process.versions.node.split(".").map(Number)
		process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)' 2>/dev/null
}

browser() {
	for name in chromium chromium-browser google-chrome; do
		command -v "$name" >/dev/null && return 0
	done
	return 1
}

missing=
node_is_new || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
[ "${1:-}" = node ] || browser || missing="$missing chromium"
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null; then
	as_root=
	[ "$(id -u)" = 0 ] || as_root=sudo
	echo "installing$missing"
	$as_root apt-get update -qq
	# $missing is a list of words.
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
fi

problem=
node_is_new || problem="$problem; install Node.js, 20.19 or 22.12 or later"
command -v npm >/dev/null || problem="$problem; install npm"
[ "${1:-}" = node ] || browser || problem="$problem; install Chromium"
if [ -n "$problem" ]; then
	echo "the console cannot be tested here${problem}" >&2
	exit 1
fi
