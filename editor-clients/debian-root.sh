#!/usr/bin/env bash
# debian-root.sh PREFIX SUITE PACKAGE…: packages of another Debian suite, with all that they need, unpacked in PREFIX/root; the
# machine's own packages stay as they are. What lies there runs by that suite's own loader and libraries.
# Needs Debian's apt. The mirror is the one that the machine's apt uses.
set -euo pipefail

usage='usage: debian-root.sh PREFIX SUITE PACKAGE…'
prefix=$(realpath -m "${1:?$usage}") suite=${2:?$usage}
shift 2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
root=$prefix/root architecture=$(dpkg --print-architecture)
mirror=$(grep -rhEo 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
  head -n 1 | tr -d ' ' || true)
: "${mirror:?no Debian mirror in the apt sources}"

mkdir -p "$work"/{state/lists/partial,cache/archives/partial,preferences} "$root"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
  -o Dir::Etc::preferencesparts="$work/preferences" -o Dir::State="$work/state" -o Dir::State::status="$work/status"
  -o Dir::Cache="$work/cache" -o APT::Architecture="$architecture" -o APT::Install-Recommends=false
  -o APT::Sandbox::User=root -o Acquire::Languages=none -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" -y --download-only install "$@"
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done
