#!/usr/bin/env bash
# install-others.sh PREFIX [SUITE]: Helix, and Emacs with lsp-mode, from a newer Debian suite in a private directory, for the
# tests of docs/editors.md. Afterwards PREFIX/bin/hx and PREFIX/bin/emacs are there.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: install-others.sh PREFIX [SUITE]}")
if [ -x "$prefix/bin/emacs" ]; then exit 0; fi

"$(dirname "$0")/debian-root.sh" "$prefix" "${2:-forky}" hx emacs-nox elpa-lsp-mode
root=$prefix/root
loader=$(readlink -f "$(find "$root" -name 'ld-linux*.so.*' | head -n 1)")
libraries=$root/usr/lib/$(gcc -dumpmachine 2>/dev/null || echo "$(uname -m)-linux-gnu")
mkdir -p "$prefix/bin"

cat >"$prefix/bin/hx" <<WRAPPER
#!/bin/sh
exec "$loader" --library-path "$libraries" "$root/usr/bin/hx" "\$@"
WRAPPER
chmod +x "$prefix/bin/hx"
"$prefix/bin/hx" --version

share=$(echo "$root"/usr/share/emacs/[0-9]*) libexec=$(echo "$root"/usr/libexec/emacs/*/*)
packages=$(find "$root/usr/share/emacs/site-lisp/elpa-src" -mindepth 1 -maxdepth 1 -type d | sed 's/^/-L /' | tr '\n' ' ')
cat >"$prefix/bin/emacs" <<WRAPPER
#!/bin/sh
export EMACSLOADPATH="$(find "$share/lisp" -type d | tr '\n' ':')" EMACSDATA="$share/etc" EMACSDOC="$share/etc" EMACSPATH="$libexec"
exec "$loader" --library-path "$libraries" "$root/usr/bin/emacs-nox" --dump-file="$(echo "$libexec"/*.pdmp)" \\
  --eval '(setq native-comp-enable-subr-trampolines nil native-comp-jit-compilation nil)' \\
  $packages -l lsp-mode-autoloads "\$@"
WRAPPER
chmod +x "$prefix/bin/emacs"
"$prefix/bin/emacs" --batch --eval '(progn (require (quote lsp-inline-completion)) (message "Emacs %s" emacs-version))'
