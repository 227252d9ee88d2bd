#!/usr/bin/env bash
# Builds the page (src/Host/ClientApp, TypeScript) into artifacts/app/wwwroot. Does nothing when no source has changed.
#   eng/build-client.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=src/Host/ClientApp
output=artifacts/app/wwwroot
modules=$source/node_modules

hash_of() { find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c -64; }

locked=$(hash_of "$source/package.json" "$source/package-lock.json" "$source/.npmrc")
if [ "$(cat "$modules/.locked" 2>/dev/null || true)" != "$locked" ]; then
  echo "[page] npm packages"
  npm --prefix "$source" ci --no-progress --loglevel=error
  echo "$locked" >"$modules/.locked"
fi

built="$locked $(hash_of "$source/src" "$source/index.html" "$source/overlay" "$source/tsconfig.json" "$source/vite.config.ts")"
if [ ! -e "$output/index.html" ] || [ "$(cat artifacts/page.built 2>/dev/null || true)" != "$built" ]; then
  echo "[page] $output"
  npm --prefix "$source" run --silent build
  echo "$built" >artifacts/page.built
fi
