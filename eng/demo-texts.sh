#!/usr/bin/env bash
# Writes the texts that the demo model learns and is tested on, one utterance a line, lower case:
#   eng/demo-texts.sh DIR [TRAIN_LINES] [SEED]
# DIR/train.txt and the held-out DIR/test-sentences.txt, test-words.txt, test-medicines.txt, test-products.txt.
# Sources: Debian's wamerican-small, fortunes and wordnet-base, and phrases made up here. The same seed gives the same files.
set -euo pipefail
export LC_ALL=C
out=${1:?usage: eng/demo-texts.sh DIR [TRAIN_LINES] [SEED]}
lines=${2:-50000}
seed=${3:-1}
words=/usr/share/dict/american-english-small
fortunes=/usr/share/games/fortunes
wordnet=/usr/share/wordnet
for need in "$words" "$fortunes/fortunes" "$wordnet/data.noun"; do
  if [ ! -e "$need" ]; then
    echo "demo-texts: $need is missing: apt-get install wamerican-small fortunes wordnet-base" >&2
    exit 1
  fi
done

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Sentences: fortunes split at full stops, WordNet's glosses and examples split at semicolons.
{
  find "$fortunes" -maxdepth 1 -type f ! -name '*.*' | sort | xargs cat | awk '
    /^%/ { print text; text = ""; next }
    { text = text " " $0 }
    END { print text }' | sed -E 's/[.!?:;]+( |$)/\n/g'
  cut -d'|' -f2- -s "$wordnet/data.noun" "$wordnet/data.verb" "$wordnet/data.adj" "$wordnet/data.adv" | tr ';' '\n'
} | tr 'A-Z' 'a-z' | sed -E 's/[",()]/ /g; s/-/ /g; s/[.!?: ]+$//; s/ +/ /g; s/^ //; s/ $//' \
  | grep -E "^[a-z][a-z' ]*[a-z]$" | grep -vE "(^| )'|'( |$)" \
  | awk 'NF >= 3 && NF <= 13 && length($0) <= 80 && !seen[$0]++' > "$work/sentences"
grep -E '^[a-z]{2,14}$' "$words" | sort -u > "$work/words"

awk -v lines="$lines" -v seed="$seed" -v out="$out" '
# An own generator, because the random numbers of awks differ: Lehmer, 31 bits.
function rnd(n) { state = (state * 48271) % 2147483647; return int(state / 2147483647 * n) }
function pick(list, n) { return list[rnd(n) + 1] }
# Each once, in an order of the seed, before one comes again: rare words stand in few sentences.
function inturn(list, n,   i, j, text) {
  if (!turn) { for (i = n; i > 1; i--) { j = rnd(i) + 1; text = list[i]; list[i] = list[j]; list[j] = text }; turn = n }
  return list[turn--]
}
function choose(text,   parts, n) { n = split(text, parts, "|"); return parts[rnd(n) + 1] }
function under100(n,   t) {
  if (n < 20) return small[n + 1]
  t = tens[int(n / 10) + 1]
  return n % 10 ? t " " small[n % 10 + 1] : t
}
function spell(n) {
  if (n < 100) return under100(n)
  if (n < 1000) return small[int(n / 100) + 1] " hundred" (n % 100 ? " and " under100(n % 100) : "")
  return spell(int(n / 1000)) " thousand" (n % 1000 ? " " spell(n % 1000) : "")
}
function digits(n,   text) { while (n-- > 0) text = text " " small[rnd(10) + 1]; return substr(text, 2) }
function number(   kind) {
  kind = rnd(8)
  if (kind == 0) return spell(rnd(100))
  if (kind == 1) return spell(rnd(10000))
  if (kind == 2) return "call " digits(3) " " digits(4)
  if (kind == 3) return choose("january|february|march|april|may|june|july|august|september|october|november|december") " " ordinal[rnd(31) + 1] " " choose("nineteen|twenty") " " under100(10 + rnd(90))
  if (kind == 4) return choose("at|it is|meet me at|wake me at") " " small[rnd(12) + 2] " " choose("o\047clock|fifteen|thirty|forty five|twenty") " " choose("in the morning|in the evening|today|tomorrow|on monday|on friday")
  if (kind == 5) return spell(rnd(1000)) " " choose("dollars|euros|pounds|miles|meters|kilograms|people|degrees|per cent")
  if (kind == 6) return under100(rnd(100)) " point " small[rnd(10) + 1]
  return choose("room|page|line|flight|bus|chapter") " " spell(1 + rnd(400))
}
function command() {
  return choose(\
    "turn " choose("on|off") " the " choose("light|lights|radio|heating|television|fan") " in the " choose("kitchen|bedroom|office|hall|garden") "|" \
    "set a timer for " under100(1 + rnd(60)) " " choose("seconds|minutes|hours") "|" \
    "play " choose("some music|the next song|the news|that again") "|" \
    "open the " pick(word, nword) " " choose("file|window|door|page") "|" \
    "send a message to " pick(word, nword) "|" \
    "what is the weather " choose("today|tomorrow|in the north|by the sea") "|" \
    "stop|go back|yes|no|thank you|please repeat that|i do not know|good morning|good night|never mind")
}
function frame() {
  return choose(\
    "the word is " pick(word, nword) "|" \
    "please write " pick(word, nword) " and " pick(word, nword) "|" \
    "i said " pick(word, nword) " not " pick(word, nword) "|" \
    "she talked about the " pick(word, nword) " and the " pick(word, nword) "|" \
    "we need more " pick(word, nword) " for the " pick(word, nword) "|" \
    "he wants to " pick(word, nword) " with " pick(word, nword) "|" \
    "is there any " pick(word, nword) " left in the " pick(word, nword))
}
function several(least, most,   n, text) {
  for (n = least + rnd(most - least + 1); n > 0; n--) text = text " " pick(word, nword)
  return substr(text, 2)
}
BEGIN {
  nsmall = split("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", small, " ")
  split("x x twenty thirty forty fifty sixty seventy eighty ninety", tens, " ")
  split("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty~first twenty~second twenty~third twenty~fourth twenty~fifth twenty~sixth twenty~seventh twenty~eighth twenty~ninth thirtieth thirty~first", ordinal, " ")
  for (i in ordinal) gsub("~", " ", ordinal[i])
}
FILENAME ~ /words$/ { word[++nword] = $0; next }
{ sentence[++nsentence] = $0 }
END {
  # The split does not depend on the seed: one sentence in twenty is never learned.
  for (i = 1; i <= nsentence; i++) if (i % 20 == 7) held[++nheld] = sentence[i]; else learned[++nlearned] = sentence[i]

  state = 7919; for (i = 0; i < 20; i++) rnd(2)
  for (i = 0; i < 400; i++) print pick(held, nheld) > (out "/test-sentences.txt")
  for (i = 0; i < 200; i++) print several(2, 5) > (out "/test-words.txt")

  # Names that exist nowhere: two or three syllables and an ending.
  for (i = 0; i < 40; i++) medicine[i + 1] = choose("dor|mex|tal|ven|cor|zol|bri|pan|lis|fen|rab|oxi") choose("va|to|li|ra|mi|ne|do|xa") choose("lin|prine|zole|mycin|statin|dipine|cillin|tadine|profen|sone")
  for (i = 0; i < 40; i++) product[i + 1] = choose("zen|lumo|quick|aero|terra|vib|nova|swift|omni|pixel|clar|hydro") choose("ta|dex|mo|ri|fo|la|net|bo") choose("ra|phone|pad|max|flow|cast|craft|wave|pod|gear")
  for (i = 0; i < 200; i++) {
    m = medicine[i % 40 + 1]; p = product[i % 40 + 1]
    print choose("take two tablets of " m " after dinner|the doctor gave her " m " for the pain|is " m " safe for children|we have no " m " left|" m " is taken once a day|he stopped taking " m " last week") > (out "/test-medicines.txt")
    print choose("where can i buy the new " p "|the " p " is on sale today|my " p " does not start|we sold ninety of the " p " last month|please compare the " p " with the old one|the battery of the " p " is empty") > (out "/test-products.txt")
  }

  state = 104729 * (seed + 1) % 2147483647; for (i = 0; i < 20; i++) rnd(2)
  for (i = 0; i < lines; i++) {
    r = rnd(100)
    print (r < 50 ? inturn(learned, nlearned) : r < 78 ? several(1, 5) : r < 88 ? frame() : r < 96 ? number() : command()) > (out "/train.txt")
  }
  printf "%d sentences (%d held out), %d words\n", nsentence, nheld, nword > "/dev/stderr"
}' "$work/words" "$work/sentences"
