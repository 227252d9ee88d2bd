#!/bin/sh
# Builds the LibTorch shim (bindings/LibTorch/native) into artifacts/native/libtorch/libasrtorch.so.
# Idempotent: nothing is compiled when nothing changed.
#   CMAKE_PREFIX_PATH=DIR   where TorchConfig.cmake lies, for another LibTorch than the system's
#   CMAKE_ARGS="-D…"        passed on to CMake
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
source="$root/bindings/LibTorch/native"
out="$root/artifacts/native/libtorch"
build="$out/build"

for tool in cmake c++; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "build-native: $tool is missing. On Debian: apt-get install cmake ninja-build g++ libtorch-dev" >&2
    exit 1
  fi
done
if command -v ninja >/dev/null 2>&1; then generator=Ninja; else generator="Unix Makefiles"; fi

mkdir -p "$build"
# One build at a time in this folder: two projects may ask for it at once.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$out/.lock"
  flock 9
fi

wanted="$generator|${CMAKE_PREFIX_PATH:-}|${CMAKE_ARGS:-}"
if [ ! -f "$build/CMakeCache.txt" ] || [ "$(cat "$build/.configured" 2>/dev/null || true)" != "$wanted" ]; then
  echo "build-native: configuring against LibTorch${CMAKE_PREFIX_PATH:+ in $CMAKE_PREFIX_PATH}"
  rm -rf "$build"
  mkdir -p "$build"
  # shellcheck disable=SC2086
  if ! cmake -S "$source" -B "$build" -G "$generator" ${CMAKE_PREFIX_PATH:+-DCMAKE_PREFIX_PATH="$CMAKE_PREFIX_PATH"} \
      ${CMAKE_ARGS:-} >"$out/configure.log" 2>&1; then
    rm -f "$build/CMakeCache.txt"
    if grep -q 'TorchConfig.cmake' "$out/configure.log"; then
      echo "build-native: LibTorch is missing. On Debian: apt-get install libtorch-dev; else set CMAKE_PREFIX_PATH to the folder of a LibTorch." >&2
    else
      echo "build-native: CMake failed:" >&2
      tail -n 20 "$out/configure.log" >&2
    fi
    exit 1
  fi
  printf %s "$wanted" >"$build/.configured"
fi

if ! cmake --build "$build" >"$out/build.log" 2>&1; then
  echo "build-native: the compiler failed:" >&2
  grep -E 'error|FAILED' "$out/build.log" | head -n 20 >&2
  exit 1
fi
if ! cmp -s "$build/libasrtorch.so" "$out/libasrtorch.so"; then
  cp "$build/libasrtorch.so" "$out/.libasrtorch.so" && mv "$out/.libasrtorch.so" "$out/libasrtorch.so"
  echo "build-native: built artifacts/native/libtorch/libasrtorch.so"
else
  # A newer time says that the sources were looked at.
  touch "$out/libasrtorch.so"
fi
