#!/usr/bin/env bash
# build_peer.sh DIR: the peer, llama-server, from the llama.cpp sources inside the installed llama-cpp-python's own
# sdist, with the same compiler flags as the library under test (GGML_NATIVE, Release). Prints the binary's path.
set -euo pipefail
dir=$(realpath -m "$1") python=${PYTHON:-python3}
server=$dir/build/bin/llama-server
if [ ! -x "$server" ]; then
  version=$("$python" -c 'from importlib.metadata import version; print(version("llama-cpp-python"))')
  mkdir -p "$dir/sdist"
  if [ ! -d "$dir/llama_cpp_python-$version" ]; then
    "$python" -m pip download -q --no-deps --no-binary llama-cpp-python -d "$dir/sdist" "llama-cpp-python==$version" >&2
    tar xzf "$dir/sdist/llama_cpp_python-$version.tar.gz" -C "$dir"
  fi
  unset SOURCE_DATE_EPOCH # it would switch GGML_NATIVE off
  cmake -S "$dir/llama_cpp_python-$version/vendor/llama.cpp" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release \
    -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=ON -DBUILD_SHARED_LIBS=OFF >&2
  cmake --build "$dir/build" --target llama-server -j "$(nproc)" >&2
fi
echo "$server"
