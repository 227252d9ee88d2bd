#!/usr/bin/env bash
# Sets up, builds and runs every test; the last line says how many passed and failed.
#   ./test.sh [FILTER]             only tests whose full name contains FILTER
#   ./test.sh --soak [MINUTES]     no tests: a host in use for so long (30), whose memory must stay flat
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/environment.sh
say() { printf '[test] %s\n' "$*"; }

if [ "${1:-}" = --soak ]; then
  minutes=${2:-30}
  eng/setup.sh --test && eng/build.sh || exit 1
  soak=artifacts/soak
  if [ ! -e "$soak/manifest.jsonl" ]; then
    say "speech to play"
    rm -rf "$soak"
    ./asr synthesize --generate 100 --kinds sentences,commands,numbers --voices espeak-ng:en-us,espeak-ng:en-gb,flite:slt,flite:awb --seed 7 --output-dir "$soak" || exit 1
  fi
  # Without a model everything but the recogniser is the same.
  if [ -e models/demo/model.safetensors ]; then recognizer=(--model models/demo); else recognizer=(--stand-in); fi
  exec ./asr bench soak --minutes "$minutes" --data "$soak/manifest.jsonl" "${recognizer[@]}"
fi

eng/setup.sh --test || { echo "0 passed, 1 failed"; exit 1; }
eng/build.sh --tests || { echo "0 passed, 1 failed"; exit 1; }

results=$PWD/artifacts/test-results
rm -rf "$results"
mkdir -p "$results"
passed=0 failed=0 skipped=0

count() { # adds up one TRX file
  local counters
  counters=$(grep -o '<Counters [^>]*' "$1" | head -1)
  local total executed good
  total=$(sed -E 's/.* total="([0-9]+)".*/\1/' <<<"$counters")
  executed=$(sed -E 's/.* executed="([0-9]+)".*/\1/' <<<"$counters")
  good=$(sed -E 's/.* passed="([0-9]+)".*/\1/' <<<"$counters")
  passed=$((passed + good))
  failed=$((failed + executed - good))
  skipped=$((skipped + total - executed))
}

filter=()
if [ $# -gt 0 ]; then filter=(--filter "FullyQualifiedName~$1"); fi
for project in tests/*/*.Tests.csproj; do
  name=$(basename "$project" .csproj)
  say "$name"
  dotnet test "$project" --no-build -nologo -v quiet --logger "trx;LogFileName=$name.trx" --results-directory "$results" "${filter[@]}" || true
  if [ -e "$results/$name.trx" ]; then
    count "$results/$name.trx"
  elif [ $# -eq 0 ]; then
    say "$name ended without a result"
    failed=$((failed + 1))
  fi
done

say "results: artifacts/test-results"
if [ $((passed + failed)) -eq 0 ]; then
  say "no test ran"
  failed=1
fi
if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ "$failed" -eq 0 ]
