#!/usr/bin/env bash
# Makes the demo model from nothing: texts, speech, an untrained model, training, error rates, alignment heads, float16.
#   eng/train-demo.sh [WORK_DIR]        default: artifacts/demo
# Every stage that is done is skipped, and training goes on from its newest checkpoint, so that the script may be stopped and started again.
# Settings, by environment: LINES (training texts), STEPS, BATCH, THREADS, SEED.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=${1:-artifacts/demo}
lines=${LINES:-120000}
steps=${STEPS:-20000}
batch=${BATCH:-32}
threads=${THREADS:-2}
seed=${SEED:-1}
asr() { ./asr "$@"; }
say() { printf '[demo] %s\n' "$*"; }

# Voices that are never learned: one of flite's, one of festival's, and an accent of espeak-ng with all of its variants.
held='flite:awb,festival:ked_diphone,espeak-ng:en-gb-scotland,espeak-ng:en-gb-scotland+*'
# What most of it is spoken by, and the tests of texts. Whispering, croaking and the like: not what a listener would call a voice.
known='espeak-ng,flite,festival:kal_diphone,festival:cmu_us_slt_arctic_hts'
unused='espeak-ng:*+whisper*,espeak-ng:*+croak,espeak-ng:*+Demonic,espeak-ng:*+fast'
rooms=(--snr 5..40 --noise white,pink,babble --reverb 0.1..0.6 --clean-share 0.3 --telephone-share 0.1)

[ -e "$work/texts/train.txt" ] || { say texts; eng/demo-texts.sh "$work/texts" "$lines" "$seed"; }

synthesize() { # NAME TEXTS OPTIONS…
  local name=$1 texts=$2
  shift 2
  [ -e "$work/$name/manifest.jsonl" ] || { say "speech: $name"; asr synthesize --texts "$texts" --output-dir "$work/$name" --language en "$@" > /dev/null; }
}

# Silence after the speech in a part of the clips, because live audio is full of it; clips of silence alone, because a model that never heard
# any makes words of it.
head -n $((lines * 7 / 10)) "$work/texts/train.txt" > "$work/texts/train-a.txt"
tail -n +$((lines * 7 / 10 + 1)) "$work/texts/train.txt" > "$work/texts/train-b.txt"
synthesize train-a "$work/texts/train-a.txt" --voices "$known" --exclude-voices "$held,$unused" --rates 0.75..1.35 --pitches 0.75..1.3 "${rooms[@]}" \
  --padding 0..0.4 --silence-share 0.02 --seed "$seed" --word-times
synthesize train-b "$work/texts/train-b.txt" --voices flite,festival:kal_diphone,festival:cmu_us_slt_arctic_hts,'espeak-ng:en-us+*' --exclude-voices "$held,$unused" --rates 0.75..1.35 --pitches 0.75..1.3 "${rooms[@]}" \
  --padding 0..3 --silence-share 0.05 --seed "$((seed + 1))" --word-times
# Several sentences in a clip: a model that has only heard one in each stops after the first one of a window.
tail -n +$((lines / 3)) "$work/texts/train.txt" > "$work/texts/train-c.txt"
synthesize train-c "$work/texts/train-c.txt" --voices "$known" --exclude-voices "$held,$unused" --rates 0.8..1.35 --pitches 0.7..1.4 "${rooms[@]}" \
  --padding 0..0.5 --join 2..4 --gaps 0.2..1.6 --join-seconds 14.4 --seed "$((seed + 2))" --word-times
# Speakers that nobody installed: a model that hears the few accents and voices of the synthesisers alone hears no others.
head -n $((lines * 6 / 10)) "$work/texts/train.txt" | tail -n +$((lines * 2 / 10)) > "$work/texts/train-d.txt"
synthesize train-d "$work/texts/train-d.txt" --invent-voices 3000 --voices invented --rates 0.75..1.35 --pitches 0.8..1.25 "${rooms[@]}" \
  --padding 0..1.2 --join 1..3 --gaps 0.2..1.6 --join-seconds 14.4 --seed "$((seed + 3))" --word-times
# Speakers of other languages, Pico and RHVoice, where they are installed. RHVoice's alan is the speaker of flite's awb, who is held out;
# its lyubov and evgeniy-eng may not be used for everything.
parts=(train-a train-b train-c train-d)
others=$(asr synthesize --list-voices | grep -oE '^(pico:en-[A-Z]+|rhvoice:(bdl|clb)|festival:[^[:space:]]+@en)' | paste -sd, || true)
if [ -n "$others" ]; then
  head -n $((lines * 9 / 10)) "$work/texts/train.txt" | tail -n +$((lines * 6 / 10)) > "$work/texts/train-e.txt"
  synthesize train-e "$work/texts/train-e.txt" --voices "$others" --rates 0.75..1.3 --pitches 0.72..1.4 "${rooms[@]}" \
    --padding 0..1.2 --join 1..3 --gaps 0.2..1.6 --join-seconds 14.4 --seed "$((seed + 4))" --word-times
  parts+=(train-e)
fi
[ -e "$work/train.jsonl" ] || for part in "${parts[@]}"; do sed "s|\"audio\":\"|\"audio\":\"$part/|" "$work/$part/manifest.jsonl"; done > "$work/train.jsonl"

# Held-out sets: texts alone, voices alone, vocabularies alone, and silence.
seen=(--voices "$known" --exclude-voices "$held,$unused" --seed 901)
unseen=(--voices "$held" --seed 902)
synthesize test-sentences "$work/texts/test-sentences.txt" "${seen[@]}" --word-times
synthesize test-words "$work/texts/test-words.txt" "${seen[@]}"
synthesize test-voices "$work/texts/test-sentences.txt" "${unseen[@]}"
synthesize test-medicines "$work/texts/test-medicines.txt" "${seen[@]}"
synthesize test-products "$work/texts/test-products.txt" "${seen[@]}"
synthesize test-noise "$work/texts/test-sentences.txt" "${seen[@]}" "${rooms[@]}"
head -n 20 "$work/texts/test-sentences.txt" > "$work/texts/test-silence.txt"
synthesize test-silence "$work/texts/test-silence.txt" "${seen[@]}" --silence-share 5 --snr 5..40
grep '"silence":true' "$work/test-silence/manifest.jsonl" > "$work/test-silence/silence.jsonl"
head -n 200 "$work/test-sentences/manifest.jsonl" | sed 's|"audio":"|"audio":"test-sentences/|' > "$work/eval.jsonl"

[ -e "$work/init/config.json" ] || {
  say model
  asr models create --output-dir "$work/init" --texts "$work/texts/train.txt" --vocabulary 1000 --width 256 --encoder-layers 6 --decoder-layers 4 \
    --heads 4 --ffn 1024 --context-seconds 15 --dropout 0 --seed "$seed"
}

train() { # OUTPUT OPTIONS…
  local output=$1 resume=()
  shift
  if compgen -G "$output/checkpoint-*" > /dev/null; then resume=(--resume-from-checkpoint true); fi
  asr train --train "$work/train.jsonl" --eval "$work/eval.jsonl" --output-dir "$output" --cache-dir "$work/cache" --feature-precision half \
    --language en --timestamps mixed --per-device-train-batch-size "$((batch / threads))" --gradient-accumulation-steps "$threads" --data-parallel "$threads" --threads "$threads" \
    --adam-beta2 0.98 --weight-decay 0.01 \
    --eval-strategy steps --eval-steps 1000 --save-steps 500 --save-total-limit 2 --predict-with-generate --generation-max-length 100 \
    --logging-steps 25 --report-to tensorboard --seed "$seed" "${resume[@]}" "$@"
}
masks=(--frequency-warp 0.15 --equalizer-db 8 --apply-spec-augment true --mask-time-prob 0.05 --mask-feature-prob 0.05 --mask-feature-min-masks 1)

# First the encoder learns to hear: short clips first, the characters' CTC loss above all, nothing masked or warped.
[ -e "$work/hear/model.safetensors" ] || {
  say "training: to hear"
  train "$work/hear" --model "$work/init" --max-steps "$((steps / 10 + 1))" --learning-rate 7e-4 --warmup-steps 200 --lr-scheduler-type constant_with_warmup \
    --ctc-weight 0.6 --encoder-context dynamic --train-sampling-strategy short_first
}

# Then the decoder to spell. Each batch is as long as its longest clip.
[ -e "$work/spell/model.safetensors" ] || {
  say "training: to spell"
  train "$work/spell" --model "$work/hear" --max-steps "$steps" --learning-rate 6e-4 --warmup-steps 200 --lr-scheduler-type linear \
    --ctc-weight 0.35 --encoder-context dynamic --train-sampling-strategy group_by_length "${masks[@]}"
}

# Files are transcribed in windows that are padded to the whole context: some steps for that.
[ -e "$work/whole/model.safetensors" ] || {
  say "training: the whole context"
  train "$work/whole" --model "$work/spell" --max-steps "$((steps / 40 + 1))" --learning-rate 5e-5 --warmup-steps 20 --lr-scheduler-type linear \
    --encoder-context full --train-sampling-strategy random "${masks[@]}"
}

say "alignment heads"
asr models align "$work/whole" --data "$work/test-sentences/manifest.jsonl" --language en

say "float16"
rm -rf "$work/final"
asr export hf --model "$work/whole" --output-dir "$work/final" --precision fp16

# What live captions need to know of it: it was taught with contexts as short as the audio, and never given the text before.
for setting in '"encoder_context": "dynamic"' '"condition_on_previous_text": false'; do
  grep -q "${setting%%:*}" "$work/final/generation_config.json" || sed -i "0,/{/s//{\n  $setting,/" "$work/final/generation_config.json"
done

say "error rates"
mkdir -p "$work/results"
for set in test-sentences test-words test-noise test-voices test-medicines test-products; do
  asr evaluate --model "$work/final" --data "$work/$set/manifest.jsonl" --language en --algorithm hf --output "$work/results/$set.json" --worst 3 --threads "$threads"
done
asr evaluate --model "$work/final" --data "$work/test-silence/silence.jsonl" --language en --algorithm hf --output "$work/results/test-silence.json" --worst 0 --threads "$threads"
say "done: $work/final, error rates in $work/results"
