import { clock, make } from "./dom";
import type { CaptionUpdate, Word } from "./protocol";
import { join, type Part } from "./utterance";

/** A pause of this length between segments begins a paragraph, as does a paragraph of this many characters. */
const PAUSE_SECONDS = 2;
const LONGEST_PARAGRAPH = 260;

/** Confidence below which a word is doubtful, and below which it is a guess. */
const DOUBTFUL = 0.8;
const GUESS = 0.5;

/** Languages that put no space between sentences. */
const UNSPACED = new Set(["zh", "yue", "ja", "th", "lo", "my", "km", "bo"]);

interface Segment {
  update: CaptionUpdate;
  span: HTMLElement;
}

/** What one person said without a pause, as far as it is final and stands in one paragraph: neighbouring segments that are read as one text. */
export interface Utterance {
  updates: CaptionUpdate[];
  text: string;
  /** Where each update starts in the text. */
  starts: number[];
}

/** A word of an utterance that may be wrong. */
export interface Doubt {
  /** Of its utterance. */
  segmentId: number;
  text: string;
  /** Where it starts in the utterance's text. */
  at: number;
  confidence: number;
}

/** What the updates' texts are when they are joined. */
export function partsOf(updates: readonly CaptionUpdate[]): Part[] {
  return updates.map(({ text, language }) => ({ text, isSpaced: !UNSPACED.has(language ?? "") }));
}

export interface CaptionsOptions {
  /** Times beside the paragraphs. */
  hasTimes: boolean;
  /** Tentative words are shown. */
  showsTentative: boolean;
  /** The newest paragraphs alone are kept; 0: all. */
  keepParagraphs: number;
  /** Called when the user wants to correct an utterance; with the place of the word that was clicked in its text, or null. */
  onEdit?: ((utterance: Utterance, at: number | null) => void) | undefined;
  /** Called after each change. */
  onChange?: () => void;
}

/**
 * Shows captions: an update replaces its segment; a segment that starts at the sample where the one before it ends goes on with the same
 * utterance, and utterances flow into paragraphs. What is tentative is lighter and not read aloud.
 */
export class CaptionsView {
  /** By segment number, ascending. */
  private readonly segments: Segment[] = [];

  /** Segments that are being edited: not shown meanwhile. */
  private edited = new Set<number>();

  /** By segment: who corrected it. */
  private authors = new Map<number, string>();

  /** Samples per second of the session. */
  sampleRateHz = 16000;

  constructor(
    private readonly list: HTMLElement,
    private readonly options: CaptionsOptions,
  ) {
    if (options.onEdit) {
      list.addEventListener("click", (event) => {
        if (!getSelection()?.toString()) this.edit(event.target);
      });
      list.addEventListener("keydown", (event) => this.key(event));
    }
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  clear(): void {
    this.segments.length = 0;
    this.authors.clear();
    this.list.replaceChildren();
    this.options.onChange?.();
  }

  show(update: CaptionUpdate): void {
    const index = this.indexOf(update.segmentId);
    const known = this.segments[index];
    if (known?.update.segmentId === update.segmentId) {
      if (known.update.revision >= update.revision) return;

      // A node of its own for each state: what is committed is an addition to those who have it read aloud.
      const span = this.render(update);
      known.span.replaceWith(span);
      if (known.span.hidden && !span.hidden) span.closest("li")?.removeAttribute("hidden");
      known.update = update;
      known.span = span;
      this.label(span);
    } else {
      const segment = { update, span: this.render(update) };
      const after = this.segments[index];
      this.place(segment, this.segments[index - 1], after);
      this.segments.splice(index, 0, segment);
      if (after) this.merge(segment, after);
      this.label(segment.span);
    }

    this.tidy();
    this.options.onChange?.();
  }

  /** Takes what is shown away; its segments do not come back, unless they change. */
  hideShown(): void {
    this.segments.forEach(({ span }) => (span.hidden = true));
    for (const paragraph of this.list.children) (paragraph as HTMLElement).hidden = true;
  }

  /** The newest update of a segment. */
  find(segmentId: number): CaptionUpdate | undefined {
    return this.segment(segmentId)?.update;
  }

  /** The utterance that a segment belongs to; undefined where nothing of it is final. */
  utterance(segmentId: number): Utterance | undefined {
    const element = this.segment(segmentId)?.span.closest<HTMLElement>(".utterance");
    return element ? this.utteranceOf(element) : undefined;
  }

  /**
   * Words that may be wrong, in the order of time.
   * @param judged Words whose confidence is known better by now, by the sequence of their update.
   */
  doubts(judged: ReadonlyMap<number, Word[]>): Doubt[] {
    return [...this.list.querySelectorAll<HTMLElement>(".utterance")].flatMap((element) => {
      const utterance = this.utteranceOf(element);
      return utterance ? doubtsOf(utterance, judged) : [];
    });
  }

  /** Hides segments while an editor stands in their place; none: shows them again. */
  hide(segmentIds: readonly number[]): void {
    this.edited = new Set(segmentIds);
    for (const { update, span } of this.segments) span.classList.toggle("edited", this.edited.has(update.segmentId));
  }

  /** The element of a segment: an editor stands before it. */
  anchor(segmentId: number): HTMLElement | undefined {
    return this.segment(segmentId)?.span;
  }

  /** Puts the keyboard's focus on the utterance of a segment. */
  focus(segmentId: number): void {
    const element = this.segment(segmentId)?.span.closest<HTMLElement>(".utterance");
    if (!element) return;
    element.tabIndex = 0;
    element.focus();
  }

  /** Says who corrected which segments. */
  setAuthors(authors: Map<number, string>): void {
    this.authors = authors;
    for (const { update, span } of this.segments) if (update.state === "corrected") this.label(span);
  }

  private segment(segmentId: number): Segment | undefined {
    const found = this.segments[this.indexOf(segmentId)];
    return found?.update.segmentId === segmentId ? found : undefined;
  }

  private utteranceOf(element: HTMLElement): Utterance | undefined {
    const updates = [...element.querySelectorAll<HTMLElement>(".segment")]
      .map((span) => this.find(Number(span.dataset["segment"])))
      .filter((update) => update !== undefined && update.state !== "tentative") as CaptionUpdate[];
    return updates.length > 0 ? { updates, ...join(partsOf(updates)) } : undefined;
  }

  /** The first segment that is not before the number. */
  private indexOf(segmentId: number): number {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle]!.update.segmentId < segmentId) low = middle + 1;
      else high = middle;
    }

    return low;
  }

  private place(segment: Segment, before: Segment | undefined, after: Segment | undefined): void {
    if (before && !this.breaksBetween(before, segment)) {
      if (isContinued(before, segment)) before.span.after(segment.span);
      else before.span.parentElement!.after(make("span", { class: "utterance" }, segment.span));
    } else if (after && !this.breaksBetween(segment, after)) {
      if (isContinued(segment, after)) after.span.before(segment.span);
      else after.span.parentElement!.before(make("span", { class: "utterance" }, segment.span));
    } else {
      const paragraph = make("li");
      if (this.options.hasTimes) paragraph.append(make("time", { text: clock(this.start(segment)) }));
      paragraph.append(make("div", { class: "text" }, make("span", { class: "utterance" }, segment.span)));
      const previous = before?.span.closest("li");
      if (previous) previous.after(paragraph);
      else this.list.prepend(paragraph);
    }
  }

  /** Joins an utterance whose middle came after its end: what was corrected comes later than what follows it. */
  private merge(segment: Segment, after: Segment): void {
    const [first, second] = [segment.span.parentElement!, after.span.parentElement!];
    if (first === second || !isContinued(segment, after) || this.breaksBetween(segment, after)) return;
    const paragraph = second.closest("li")!;
    first.append(...second.children);
    second.remove();
    if (!paragraph.querySelector(".utterance")) paragraph.remove();
  }

  private breaksBetween(first: Segment, second: Segment): boolean {
    const isPause = !isContinued(first, second) && this.start(second) - this.end(first) >= PAUSE_SECONDS;
    return isPause || (first.span.closest(".text")?.textContent?.length ?? 0) > LONGEST_PARAGRAPH;
  }

  private start({ update }: Segment): number {
    return update.words[0]?.start ?? update.startSample / this.sampleRateHz;
  }

  private end({ update }: Segment): number {
    return update.words.at(-1)?.end ?? update.endSample / this.sampleRateHz;
  }

  private render(update: CaptionUpdate): HTMLElement {
    const span = make("span", { class: `segment ${update.state}` });
    span.dataset["segment"] = String(update.segmentId);
    const isTentative = update.state === "tentative";
    span.hidden = !update.text || (isTentative && !this.options.showsTentative);
    if (update.language) span.lang = update.language;
    span.classList.toggle("edited", this.edited.has(update.segmentId));
    if (isTentative) span.setAttribute("aria-hidden", "true");
    span.append(...words(update), UNSPACED.has(update.language ?? "") ? "" : " ");
    return span;
  }

  /** Says of a segment's utterance what can be done with it, and who did. */
  private label(span: HTMLElement): void {
    const element = span.closest<HTMLElement>(".utterance");
    if (!this.options.onEdit || !element) return;
    const utterance = this.utteranceOf(element);
    if (!utterance) return;
    if (!element.hasAttribute("tabindex")) element.tabIndex = -1;
    const authors = [...new Set(utterance.updates.flatMap((update) => (update.state === "corrected" ? (this.authors.get(update.segmentId) ?? []) : [])))];
    element.setAttribute("aria-description", `${authors.length > 0 ? `Corrected by ${authors.join(", ")}. ` : ""}Enter corrects it`);
    element.querySelectorAll(".by").forEach((by) => by.remove());
    if (authors.length > 0) element.append(make("small", { class: "by", text: `✎ ${authors.join(", ")} `, title: `Corrected by ${authors.join(", ")}` }));
  }

  /** Hides paragraphs in which nothing is shown, drops old ones, and lets the newest utterance be reached by Tab. */
  private tidy(): void {
    for (const paragraph of [...this.list.children].slice(-3) as HTMLElement[]) {
      paragraph.hidden = !paragraph.querySelector(".segment:not([hidden])");
    }

    if (this.options.keepParagraphs > 0) {
      while (this.list.children.length > this.options.keepParagraphs) this.list.firstElementChild!.remove();
      while (this.segments[0] && !this.segments[0].span.isConnected) this.segments.shift();
    }

    if (!this.options.onEdit || this.list.contains(document.activeElement)) return;
    this.list.querySelectorAll<HTMLElement>('.utterance[tabindex="0"]').forEach((utterance) => (utterance.tabIndex = -1));
    const newest = this.segments.findLast((segment) => segment.update.state !== "tentative" && !segment.span.hidden);
    if (newest) newest.span.closest<HTMLElement>(".utterance")!.tabIndex = 0;
  }

  private edit(target: EventTarget | null): void {
    const clicked = target as Element | null;
    const element = clicked?.closest("form") ? null : clicked?.closest<HTMLElement>(".utterance");
    const utterance = element && this.utteranceOf(element);
    if (utterance) this.options.onEdit?.(utterance, placeOf(utterance, clicked));
  }

  /** Enter and F2 correct; the arrows go from utterance to utterance. */
  private key(event: KeyboardEvent): void {
    const element = event.target as HTMLElement;
    if (!element.classList.contains("utterance")) return;
    if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      this.edit(element);
      return;
    }

    const step = event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : 0;
    if (step === 0) return;
    const reachable = [...this.list.querySelectorAll<HTMLElement>(".utterance[tabindex]")].filter((one) => one.querySelector(".segment:not(.tentative, [hidden])"));
    const next = reachable[reachable.indexOf(element) + step];
    if (!next) return;
    event.preventDefault();
    element.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

/** Whether the second goes on with the utterance of the first. */
function isContinued(first: Segment, second: Segment): boolean {
  return first.update.endSample === second.update.startSample;
}

/** Words of an utterance that may be wrong, in its order. */
function doubtsOf({ updates, starts }: Utterance, judged: ReadonlyMap<number, Word[]>): Doubt[] {
  return updates.flatMap((update, index) =>
    placed(update.text, judged.get(update.sequence) ?? update.words).flatMap(({ word, at }) =>
      word.confidence < DOUBTFUL ? [{ segmentId: update.segmentId, text: word.text, at: starts[index]! + at, confidence: word.confidence }] : [],
    ),
  );
}

/** The place in an utterance's text of the word that was clicked; null where none was. */
function placeOf({ updates, starts }: Utterance, clicked: Element | null): number | null {
  const word = clicked?.closest<HTMLElement>(".word");
  const index = updates.findIndex((update) => String(update.segmentId) === word?.closest<HTMLElement>(".segment")?.dataset["segment"]);
  return word && index >= 0 ? starts[index]! + Number(word.dataset["at"]) : null;
}

/** The words that can be found in the text, and where; none where one cannot. */
function placed(text: string, words: readonly Word[]): { word: Word; at: number }[] {
  const found: { word: Word; at: number }[] = [];
  let from = 0;
  for (const word of words) {
    const at = word.text ? text.indexOf(word.text, from) : -1;
    if (at < 0) return [];
    found.push({ word, at });
    from = at + word.text.length;
  }

  return found;
}

/** The text, its words in elements of their own where they can be found in it. */
function words(update: CaptionUpdate): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  for (const { word, at } of placed(update.text, update.words)) {
    const span = make("span", { class: "word", text: word.text, title: `${Math.round(100 * word.confidence)} % sure` });
    span.dataset["at"] = String(at);
    if (word.confidence < DOUBTFUL) span.classList.add(word.confidence < GUESS ? "guess" : "doubtful");
    nodes.push(document.createTextNode(update.text.slice(from, at)), span);
    from = at + word.text.length;
  }

  nodes.push(document.createTextNode(update.text.slice(from)));
  return nodes;
}
