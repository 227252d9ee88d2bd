// An utterance comes in segments of a few words. People read and correct it as one text; the host keeps a text a segment.

/** A segment's share of an utterance's text. */
export interface Part {
  text: string;
  /** Whether a space stands between it and the text before it. */
  isSpaced: boolean;
}

interface Token {
  text: string;
  /** Where it starts in its text. */
  at: number;
}

/** Cost of a word too many or too few; two words that have nothing in common cost 1, less than leaving out one and putting in the other. */
const GAP = 0.6;

/** Cost of a word that differs in case and punctuation alone. */
const RESPELLED = 0.1;

/** Longest texts that are aligned, in pairs of tokens. */
const MOST_PAIRS = 4_000_000;

/** The text of the parts, and where each of them starts in it. */
export function join(parts: readonly Part[]): { text: string; starts: number[] } {
  let text = "";
  const starts = parts.map((part) => {
    if (part.text && text && part.isSpaced) text += " ";
    const start = text.length;
    text += part.text;
    return start;
  });
  return { text, starts };
}

/** What the host makes of typed text: white space is one space, none at the ends. */
export function tidy(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/**
 * Divides a text among the parts of an old one, such that `join` gives exactly that text (tidied) again: a word goes where the word is that it
 * stands for, and a new word goes to a neighbour, rather to one that was changed as well.
 * @returns As many texts as there are parts; a part may be left with none.
 */
export function divide(parts: readonly Part[], typed: string): string[] {
  const text = tidy(typed);
  const isByWord = parts.every((part, index) => index === 0 || part.isSpaced);
  const before = parts.flatMap((part, index) => tokens(part.text, isByWord).map((token) => ({ token, index })));
  const after = tokens(text, isByWord);
  if (parts.length === 1 || before.length === 0 || before.length * after.length > MOST_PAIRS) return whole(parts, text);

  const owners = assign(
    before.map(({ token }) => token.text),
    before.map(({ index }) => index),
    after.map((token) => token.text),
  );
  const bounds = [0];
  for (let part = 1; part < parts.length; part++) {
    const first = owners.findIndex((owner) => owner >= part);
    bounds.push(Math.max(bounds.at(-1)!, allowed(text, first < 0 ? text.length : after[first]!.at, parts[part]!.isSpaced)));
  }

  const divided = bounds.map((bound, part) => text.slice(bound, bounds[part + 1]).trim());
  const joined = join(parts.map((part, index) => ({ ...part, text: divided[index]! }))).text;
  return joined === text ? divided : whole(parts, text);
}

/** All of the text to one part: the longest. */
function whole(parts: readonly Part[], text: string): string[] {
  let longest = 0;
  parts.forEach((part, index) => {
    if (part.text.length > parts[longest]!.text.length) longest = index;
  });
  return parts.map((_, index) => (index === longest ? text : ""));
}

/** Words; or, where languages write no spaces, every character that is none. */
function tokens(text: string, isByWord: boolean): Token[] {
  return [...text.matchAll(isByWord ? /\S+/gu : /\S\p{M}*/gu)].map((match) => ({ text: match[0], at: match.index }));
}

/** The place nearest to `at` where a text may be cut: at a space where one is written between the parts, else far from any. */
function allowed(text: string, at: number, isSpaced: boolean): number {
  const fits = (place: number): boolean => {
    if (place === 0 || place === text.length) return true;
    const isBehindSpace = /\s/.test(text[place - 1]!);
    return isSpaced ? isBehindSpace : !isBehindSpace && !/\s/.test(text[place]!);
  };
  for (let away = 0; ; away++) {
    if (at - away >= 0 && fits(at - away)) return at - away;
    if (at + away <= text.length && fits(at + away)) return at + away;
  }
}

/** The part that each new token goes to, ascending. */
function assign(before: string[], owners: number[], after: string[]): number[] {
  const width = after.length + 1;
  const cost = new Float64Array((before.length + 1) * width);
  const pairs = new Float64Array((before.length + 1) * width);
  const known = new Map<string, number>();
  for (let i = 0; i <= before.length; i++) {
    for (let j = 0; j <= after.length; j++) {
      if (i === 0 || j === 0) {
        cost[i * width + j] = GAP * (i + j);
        continue;
      }

      const key = `${before[i - 1]!}\n${after[j - 1]!}`;
      let pair = known.get(key);
      if (pair === undefined) known.set(key, (pair = difference(before[i - 1]!, after[j - 1]!)));
      pairs[i * width + j] = pair;
      cost[i * width + j] = Math.min(cost[(i - 1) * width + j - 1]! + pair, cost[(i - 1) * width + j]! + GAP, cost[i * width + j - 1]! + GAP);
    }
  }

  // Back along the cheapest way: what each new token stands for, and whether it is the same word.
  const matched: ({ owner: number; isSame: boolean } | null)[] = after.map(() => null);
  for (let i = before.length, j = after.length; i > 0 && j > 0; ) {
    const here = cost[i * width + j]!;
    if (here === cost[(i - 1) * width + j - 1]! + pairs[i * width + j]!) {
      matched[--j] = { owner: owners[--i]!, isSame: pairs[(i + 1) * width + j + 1] === 0 };
    } else if (here === cost[(i - 1) * width + j]! + GAP) {
      i--;
    } else {
      j--;
    }
  }

  return matched.map((match, index) => {
    if (match) return match.owner;
    const left = matched.slice(0, index).findLast((one) => one !== null);
    const right = matched.slice(index + 1).find((one) => one !== null);
    if (left && right) return left.isSame && !right.isSame ? right.owner : left.owner;
    return (left ?? right)?.owner ?? 0;
  });
}

/** How different two words are, 0 to 1. */
function difference(first: string, second: string): number {
  if (first === second) return 0;
  const [a, b] = [first, second].map((word) => word.toLowerCase().replace(/[^\p{L}\p{N}\p{M}]/gu, "")) as [string, string];
  if (a === b) return RESPELLED;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }

  return 2 * RESPELLED + (1 - 2 * RESPELLED) * (row[b.length]! / Math.max(a.length, b.length));
}
