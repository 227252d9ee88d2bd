import { make } from "./dom";
import type { DiffPart } from "./protocol";

/** What was heard, struck through, and what was said, marked. */
export function diffText(diff: readonly DiffPart[], language: string | null): HTMLElement {
  const text = make("p", { class: "diff" });
  if (language) text.lang = language;
  for (const { op, hypothesis, text: said } of diff) {
    if (op === "equal") text.append(said, " ");
    if ((op === "delete" || op === "replace") && hypothesis) text.append(make("del", { text: hypothesis }), " ");
    if ((op === "insert" || op === "replace") && said) text.append(make("ins", { text: said }), " ");
  }

  return text;
}

/** Words that are the same in both texts and those that are not: the longest common subsequence of words, whatever their case and punctuation. */
export function wordDiff(hypothesis: string, text: string): DiffPart[] {
  const plain = (word: string): string => word.toLowerCase().replace(/[^\p{L}\p{N}\p{M}']/gu, "");
  const [heard, said] = [hypothesis, text].map((one) => one.split(/\s+/).filter(Boolean)) as [string[], string[]];
  const common = Array.from({ length: heard.length + 1 }, () => new Uint16Array(said.length + 1));
  for (let i = heard.length - 1; i >= 0; i--) {
    for (let j = said.length - 1; j >= 0; j--) {
      common[i]![j] = plain(heard[i]!) === plain(said[j]!) ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }

  const parts: DiffPart[] = [];
  let lost: string[] = [];
  let found: string[] = [];
  const flush = (): void => {
    if (lost.length + found.length > 0) parts.push({ op: lost.length === 0 ? "insert" : found.length === 0 ? "delete" : "replace", hypothesis: lost.join(" "), text: found.join(" ") });
    lost = [];
    found = [];
  };
  for (let i = 0, j = 0; i < heard.length || j < said.length; ) {
    if (i < heard.length && j < said.length && plain(heard[i]!) === plain(said[j]!)) {
      flush();
      parts.push({ op: "equal", hypothesis: heard[i++]!, text: said[j++]! });
    } else if (j >= said.length || (i < heard.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      lost.push(heard[i++]!);
    } else {
      found.push(said[j++]!);
    }
  }

  flush();
  return parts;
}
