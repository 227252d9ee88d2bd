#!/usr/bin/env bash
# Installs what a build needs and is not there yet: Debian packages, the right BLAS, npm packages. Idempotent; says what it does.
#   eng/setup.sh [--test]     --test also brings what only the tests need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '[setup] %s\n' "$*"; }
die() { printf '[setup] %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    die "not root and no sudo: run as root: $*"; fi
}

command -v dotnet >/dev/null || die ".NET 10 is missing: install the .NET SDK 10.0 and run again"
command -v node >/dev/null || die "Node.js 20 or newer is missing: install it and run again"

# LibTorch and its compiler for the engine, OpenBLAS (the reference BLAS is 40 times slower), ffmpeg for audio that is not WAV.
packages=(libtorch-dev libopenblas0-openmp g++ cmake ninja-build ffmpeg)
if [ "${1:-}" = --test ]; then packages+=(chromium espeak-ng flite); fi

if command -v dpkg-query >/dev/null; then
  missing=()
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi

  architecture=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
  for library in libblas.so.3 liblapack.so.3; do
    wanted=/usr/lib/$architecture/openblas-openmp/$library
    active=$(readlink -f "/usr/lib/$architecture/$library" || true)
    if [ -e "$wanted" ] && [ "$active" != "$(readlink -f "$wanted")" ]; then
      say "making OpenBLAS the active $library (it was $active)"
      as_root update-alternatives --set "$library-$architecture" "$wanted" >/dev/null
    fi
  done
else
  say "this is no Debian: bring ${packages[*]} yourself"
fi

# ONNX Runtime's library, out of its npm package.
eng/onnxruntime.sh || die "see above"
if [ "${1:-}" = --test ]; then eng/silero.sh || die "see above"; fi

say "everything is in place"
