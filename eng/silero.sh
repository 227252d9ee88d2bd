#!/bin/sh
# Puts Silero's voice detector into artifacts/silero: silero_vad.onnx (version 6) and silero_vad_v4.onnx, out of the npm package
# @ricky0123/vad-web, by content. Idempotent. MIT licence, github.com/snakers4/silero-vad.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
out="$root/artifacts/silero"
package=@ricky0123/vad-web@0.0.31
newest=1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3
fourth=a35ebf52fd3ce5f1469b2a36158dba761bc47b973ea3382b3186ca15b1f5af28
die() { printf 'silero: %s\n' "$*" >&2; exit 1; }
digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -c -64; }
is() { [ -e "$1" ] && [ "$(digest "$1")" = "$2" ]; }

if is "$out/silero_vad.onnx" $newest && is "$out/silero_vad_v4.onnx" $fourth; then exit 0; fi
command -v npm >/dev/null 2>&1 || die "npm is missing: install Node.js 20 or newer"
echo "silero: fetching $package"
work="$out/npm"
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$package" >/dev/null && tar xzf ./*.tgz package/dist/silero_vad_v6.onnx package/dist/silero_vad_legacy.onnx) \
  || die "npm did not bring $package"
is "$work/package/dist/silero_vad_v6.onnx" $newest && is "$work/package/dist/silero_vad_legacy.onnx" $fourth || die "$package holds other files than expected"
mv "$work/package/dist/silero_vad_legacy.onnx" "$out/silero_vad_v4.onnx"
mv "$work/package/dist/silero_vad_v6.onnx" "$out/silero_vad.onnx"
echo "silero: artifacts/silero/silero_vad.onnx"
