#!/usr/bin/env bash
# Builds everything into artifacts/app: the host, plugins/<id>, shared/ and the page. Quick when nothing changed.
#   eng/build.sh [--tests]     --tests builds the test projects too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/environment.sh
say() { printf '[build] %s\n' "$*"; }

log=artifacts/build.log
mkdir -p artifacts
run() {
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    printf '[build] failed: %s\n' "$*" >&2
    exit 1
  fi
}

if [ -x eng/build-client.sh ]; then say "the page"; run eng/build-client.sh; fi
if [ "${1:-}" = --tests ]; then
  # OpenAI's client, which the tests drive the host with.
  locked=$(cat tests/Browser/package.json tests/Browser/package-lock.json | sha256sum)
  if [ "$(cat tests/Browser/node_modules/.locked 2>/dev/null || true)" != "$locked" ]; then
    say "npm packages of the tests"
    run npm --prefix tests/Browser ci --no-progress --loglevel=error
    echo "$locked" >tests/Browser/node_modules/.locked
  fi
fi
say "the solution (artifacts/build.log)"
if [ "${1:-}" = --tests ]; then
  run dotnet build AsrPlatform.sln -v minimal -nologo
else
  # Plugins bring the bindings that they refer to.
  for project in src/Host/Host.csproj plugins/*/*.csproj; do
    run dotnet build "$project" -v minimal -nologo
  done
fi
say "done: artifacts/app"
