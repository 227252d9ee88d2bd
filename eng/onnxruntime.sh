#!/bin/sh
# Puts ONNX Runtime's library for this machine into artifacts/native/onnxruntime, out of the npm package that
# bindings/OnnxRuntime/native/package.json names (the lock file pins its content). Idempotent: nothing is fetched twice.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
source="$root/bindings/OnnxRuntime/native"
out="$root/artifacts/native/onnxruntime"
die() { printf 'onnxruntime: %s\n' "$*" >&2; exit 1; }

case $(uname -s) in
  Linux) platform=linux library=libonnxruntime.so.1 ;;
  Darwin) platform=darwin library=libonnxruntime.1.dylib ;;
  *) die "on this system take the package Microsoft.ML.OnnxRuntime: -p:OnnxBinding=OnnxRuntime" ;;
esac
case $(uname -m) in
  x86_64 | amd64) architecture=x64 ;;
  aarch64 | arm64) architecture=arm64 ;;
  *) die "the package has no library for $(uname -m): build ONNX Runtime and point ASR_ONNXRUNTIME_DIR at the folder that holds $library" ;;
esac

if command -v sha256sum >/dev/null 2>&1; then digest=sha256sum; else digest="shasum -a 256"; fi
wanted="$platform/$architecture $(cat "$source/package.json" "$source/package-lock.json" | $digest | cut -c -64)"

mkdir -p "$out"
# One at a time in this folder: two projects may ask for it at once.
if command -v flock >/dev/null 2>&1; then
  exec 9>"$out/.lock"
  flock 9
fi
if [ -e "$out/$library" ] && [ "$(cat "$out/.installed" 2>/dev/null || true)" = "$wanted" ]; then
  # A newer time says that the lock file was looked at.
  touch "$out/$library"
  exit 0
fi

command -v npm >/dev/null 2>&1 || die "npm is missing: install Node.js 20 or newer, or point ASR_ONNXRUNTIME_DIR at a folder that holds $library"
version=$(sed -n 's/.*"onnxruntime-node": *"\([^"]*\)".*/\1/p' "$source/package.json")
echo "onnxruntime: fetching onnxruntime-node $version for its $library"
work="$out/npm"
rm -rf "$work"
mkdir -p "$work"
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$work/"
# The package's own scripts would fetch CUDA builds: they do not run.
if ! npm --prefix "$work" ci --ignore-scripts --no-progress --loglevel=error >"$out/npm.log" 2>&1; then
  tail -n 20 "$out/npm.log" >&2
  rm -rf "$work"
  die "npm did not bring onnxruntime-node $version. Without a network: point ASR_ONNXRUNTIME_DIR at a folder that holds $library"
fi
found=$(find "$work/node_modules/onnxruntime-node/bin" -path "*/$platform/$architecture/$library" | head -n 1)
if [ -z "$found" ]; then
  rm -rf "$work"
  die "onnxruntime-node $version has no $library for $platform/$architecture: point ASR_ONNXRUNTIME_DIR at a folder that holds one"
fi
mv "$found" "$out/.$library"
mv "$out/.$library" "$out/$library"
touch "$out/$library"
printf %s "$wanted" >"$out/.installed"
rm -rf "$work" "$out/npm.log"
echo "onnxruntime: artifacts/native/onnxruntime/$library"
