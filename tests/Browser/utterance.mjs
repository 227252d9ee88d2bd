// Divides edited texts among the segments of an utterance, with the page's own code, and prints what came of it, as JSON. tests/Host.Tests/Live/PageTests.cs judges.
//   node tests/Browser/utterance.mjs
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const source = new URL("../../src/Host/ClientApp/src/utterance.ts", import.meta.url);
const typescript = createRequire(new URL("../../src/Host/ClientApp/package.json", import.meta.url))("typescript");
const { outputText } = typescript.transpileModule(readFileSync(source, "utf8"), { compilerOptions: { target: "ES2022", module: "ESNext" } });
const { divide, join, tidy } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);

const spaced = (...texts) => texts.map((text) => ({ text, isSpaced: true }));
const unspaced = (...texts) => texts.map((text) => ({ text, isSpaced: false }));
const cases = {
  unchanged: [spaced("the doctor gave", "her the drive", "in"), "the doctor gave her the drive in"],
  replacedAcross: [spaced("the doctor gave", "her the drive in", "for the pain"), "the doctor gave her dorvalin for the pain"],
  insertedAtABorder: [spaced("is there any", "left in the kitchen"), "is there any velodrix left in the kitchen"],
  insertedBesideAChange: [spaced("please bring the", "fell ricks", "to the office"), "please bring the big velo drix to the office"],
  respelled: [spaced("hello world", "how are you"), "Hello, world! How are you?"],
  oneMade: [spaced("we need more", "dor", "valin"), "we need more dorvalin"],
  removed: [spaced("uh", "the answer is", "um four"), "the answer is four"],
  emptied: [spaced("thank you", "for watching"), "   "],
  fromEmpty: [spaced("", "there", ""), "over there now"],
  rewritten: [spaced("alpha beta", "gamma"), "nothing of the kind was said"],
  whiteSpace: [spaced("one two", "three"), "  one\n two   three "],
  unspaced: [unspaced("今天天气", "很号"), "今天天气很好"],
  unspacedWithLatin: [unspaced("我喜欢", "晚游戏"), "我喜欢 play 玩游戏"],
  mixed: [[{ text: "你好", isSpaced: true }, { text: "世界", isSpaced: false }, { text: "hello there", isSpaced: true }], "你好世 界 hello there friend"],
};

const report = {};
for (const [name, [parts, typed]] of Object.entries(cases)) {
  const texts = divide(parts, typed);
  report[name] = { texts, isExact: join(parts.map((part, index) => ({ ...part, text: texts[index] }))).text === tidy(typed) };
}

// Whatever is typed, the text is that: a thousand edits by chance, by a generator that starts alike each time.
let state = 7;
const draw = (n) => (state = (state * 48271) % 2147483647) % n;
const words = ["a", "bee", "sea", "dee", "Eel.", "eff", "gee,", "中", "文 x"];
let wrong = 0;
for (let i = 0; i < 1000; i++) {
  const some = (most) => Array.from({ length: draw(most + 1) }, () => words[draw(words.length)]).join(" ");
  const parts = Array.from({ length: 1 + draw(5) }, () => ({ text: tidy(some(4)), isSpaced: draw(8) > 0 }));
  const typed = some(12);
  const texts = divide(parts, typed);
  if (texts.length !== parts.length || texts.some((text) => text !== text.trim()) || join(parts.map((part, index) => ({ ...part, text: texts[index] }))).text !== tidy(typed)) wrong++;
}

console.log(JSON.stringify({ cases: report, wrong }));
