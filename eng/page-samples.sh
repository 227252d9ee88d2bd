#!/usr/bin/env bash
# Makes the page's clips with a word that the demo model has never heard: one to learn it from, one to be tried by, in another voice.
#   eng/page-samples.sh            writes src/Host/ClientApp/src/samples/{lesson,exam}.mp3
# Their texts stand in src/Host/ClientApp/src/samples.ts as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=src/Host/ClientApp/src/samples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

clip() { # NAME VOICE TEXT…: the texts with a second of silence between them
  local name=$1 voice=$2
  shift 2
  printf '%s\n' "$@" > "$work/$name.txt"
  ./asr synthesize --texts "$work/$name.txt" --output-dir "$work/$name" --voices "$voice" --padding 0.5 --levels -3 --quiet > /dev/null
  local files=("$work/$name"/*.wav) inputs=() list=""
  for i in "${!files[@]}"; do inputs+=(-i "${files[$i]}"); list+="[$i:a]"; done
  ffmpeg -loglevel error -y "${inputs[@]}" -filter_complex "${list}concat=n=${#files[@]}:v=0:a=1" -ac 1 -ar 16000 -b:a 40k -map_metadata -1 "$out/$name.mp3"
}

clip lesson flite:rms 'is there any velodrix left in the kitchen' 'we need more velodrix for the garden' 'my father keeps the velodrix in a small box' \
  'the price of velodrix went up again' 'please bring the velodrix to the office' 'nobody remembers who found the velodrix'
clip exam espeak-ng:en-us 'she talked about the velodrix and the kitchen'
