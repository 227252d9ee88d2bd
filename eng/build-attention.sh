#!/bin/sh
# Builds the attention operator of the ONNX backend (plugins/OnnxBackend/native) into artifacts/native/attention/libasrattention.so.
# Idempotent. Where there is no C++ compiler, or none that knows the instructions, there is no library, and ONNX Runtime's attention is used.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
source="$root/plugins/OnnxBackend/native/attention.cpp"
out="$root/artifacts/native/attention"
library=libasrattention.so
mkdir -p "$out"
# One build at a time in this folder: two projects may ask for it at once.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$out/.lock"
  flock 9
fi

compiler=${CXX:-c++}
if ! command -v "$compiler" >/dev/null 2>&1; then
  echo "build-attention: there is no C++ compiler ($compiler): encoders will use ONNX Runtime's attention, which takes twice as long on some processors. On Debian: apt-get install g++"
  exit 0
fi
# The compiler's own headers are said to use what they do not set.
if ! "$compiler" -O3 -std=c++17 -shared -fPIC -fvisibility=hidden -Wall -Wextra -Wno-uninitialized -Wno-maybe-uninitialized "$source" -o "$out/.$library" >"$out/build.log" 2>&1; then
  rm -f "$out/.$library"
  echo "build-attention: $compiler does not build the operator ($out/build.log): encoders will use ONNX Runtime's attention, which takes twice as long on some processors."
  exit 0
fi
mv "$out/.$library" "$out/$library"
echo "build-attention: artifacts/native/attention/$library"
