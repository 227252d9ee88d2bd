#!/usr/bin/env bash
# Makes the demo model's anchor set out of what eng/train-demo.sh left: speech that the model knows, shipped with it so that learning from
# corrections can replay it (replay.jsonl) and can see whether it was forgotten (anchor.jsonl; sentences that were never trained on).
#   eng/make-anchor.sh [WORK_DIR] [OUTPUT_DIR]        default: artifacts/demo models/demo/anchor
# Settings, by environment: REPLAY and ANCHOR (utterances), SILENCE (clips in which nobody speaks, to evaluate on), TRAIN (the manifest to replay from), BITRATE (of Opus, mono).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${1:-artifacts/demo}
output=${2:-models/demo/anchor}
train=${TRAIN:-$work/train.jsonl}
replay=${REPLAY:-160}
anchor=${ANCHOR:-60}
silence=${SILENCE:-12}
bitrate=${BITRATE:-20k}
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# What a repository should not carry, whoever wrote the sentence.
unfit='porn|sex|drug|murder|kill|rape|nazi|slave|racis|suicid|genital|naked|castrat|prostitut|euthan'

# Manifests are in a random order: evenly spaced rows are a random sample, the same one every time. Texts once each, none of FORBIDDEN's.
choose() { # COUNT MANIFEST FORBIDDEN
  awk -v count="$1" -v unfit="$unfit" '
    function text(line) { sub(/.*"text":"/, "", line); sub(/".*/, "", line); return line }
    function seconds(line) { sub(/.*"duration":/, "", line); sub(/[,}].*/, "", line); return line + 0 }
    FNR == NR && FILENAME == ARGV[1] { taken[text($0)] = 1; next }
    /"silence":true/ || text($0) in taken || text($0) ~ unfit || seconds($0) > 4 || seconds($0) < 0.8 { next }
    { taken[text($0)] = 1; rows[++n] = $0 }
    END { for (i = 0; i < count; i++) print rows[int(i * n / count) + 1] }
  ' "$3" "$2"
}

content() { # ROW
  case $1 in
    *'"silence":true'*) printf '"text":"","silence":true' ;;
    *) sed 's/.*"text":"\([^"]*\)".*"speaker":"\([^"]*\)".*/"text":"\1","language":"en","speaker":"\2"/' <<< "$1" ;;
  esac
}

# One file of all utterances: each in a file of its own would be mostly headers.
pack() { # NAME ROWS
  local position=0 audio samples
  : > "$temporary/list"
  : > "$output/$1.jsonl"
  while IFS= read -r row; do
    audio=$(sed 's/.*"audio":"\([^"]*\)".*/\1/' <<< "$row")
    samples=$((($(stat -L -c %s "$work/$audio") - 44) / 2))
    printf "file '%s'\n" "$(realpath "$work/$audio")" >> "$temporary/list"
    printf '{"audio":"%s","start":%s,"end":%s,%s}\n' "$1.ogg" \
      "$(awk -v s=$position 'BEGIN { printf "%.4f", s / 16000 }')" "$(awk -v s=$((position + samples)) 'BEGIN { printf "%.4f", s / 16000 }')" \
      "$(content "$row")" >> "$output/$1.jsonl"
    position=$((position + samples))
  done < "$2"
  ffmpeg -v error -y -f concat -safe 0 -i "$temporary/list" -ac 1 -ar 16000 -map_metadata -1 -fflags +bitexact -flags:a +bitexact \
    -c:a libopus -b:a "$bitrate" -application voip "$output/$1.ogg"
}

mkdir -p "$output"
choose "$anchor" "$work/eval.jsonl" /dev/null > "$temporary/anchor.rows"
sed 's|"audio":"|"audio":"test-silence/|' "$work/test-silence/silence.jsonl" | head -n "$silence" >> "$temporary/anchor.rows"
choose "$replay" "$train" "$work/eval.jsonl" > "$temporary/replay.rows"
pack anchor "$temporary/anchor.rows"
pack replay "$temporary/replay.rows"
printf '[anchor] %s: %s for replay, %s for evaluation, %s bytes\n' "$output" "$(wc -l < "$output/replay.jsonl")" "$(wc -l < "$output/anchor.jsonl")" "$(du -sb "$output" | cut -f1)"
