import { clock, make } from "./dom";
import type { CaptionUpdate } from "./protocol";

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

export interface CaptionsOptions {
  /** Times beside the paragraphs. */
  hasTimes: boolean;
  /** Tentative words are shown. */
  showsTentative: boolean;
  /** The newest paragraphs alone are kept; 0: all. */
  keepParagraphs: number;
  /** Called when the user wants to correct a segment. */
  onEdit?: ((update: CaptionUpdate, span: HTMLElement) => void) | undefined;
  /** Called after each change. */
  onChange?: () => void;
}

/** Shows captions: an update replaces its segment, segments flow into paragraphs; what is tentative is lighter and not read aloud. */
export class CaptionsView {
  /** By segment number, ascending. */
  private readonly segments: Segment[] = [];

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
    this.list.replaceChildren();
    this.options.onChange?.();
  }

  show(update: CaptionUpdate): void {
    const index = this.indexOf(update.segmentId);
    const known = this.segments[index];
    if (known?.update.segmentId === update.segmentId) {
      if (known.update.revision >= update.revision) return;

      // A node of its own for each state: what is committed is an addition to those who have it read aloud.
      const hadFocus = known.span === document.activeElement;
      const span = this.render(update);
      known.span.replaceWith(span);
      if (known.span.hidden && !span.hidden) span.closest("li")?.removeAttribute("hidden");
      known.update = update;
      known.span = span;
      if (hadFocus) span.focus();
    } else {
      const segment = { update, span: this.render(update) };
      this.place(segment, this.segments[index - 1], this.segments[index]);
      this.segments.splice(index, 0, segment);
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
    const found = this.segments[this.indexOf(segmentId)];
    return found?.update.segmentId === segmentId ? found.update : undefined;
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
      before.span.after(segment.span);
    } else if (after && !this.breaksBetween(segment, after)) {
      after.span.before(segment.span);
    } else {
      const paragraph = make("li");
      if (this.options.hasTimes) paragraph.append(make("time", { text: clock(this.start(segment)) }));
      paragraph.append(make("div", { class: "text" }, segment.span));
      const previous = before?.span.closest("li");
      if (previous) previous.after(paragraph);
      else this.list.prepend(paragraph);
    }
  }

  private breaksBetween(first: Segment, second: Segment): boolean {
    return (
      this.start(second) - this.end(first) >= PAUSE_SECONDS || (first.span.parentElement?.textContent?.length ?? 0) > LONGEST_PARAGRAPH
    );
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
    if (isTentative) {
      span.setAttribute("aria-hidden", "true");
    } else if (this.options.onEdit) {
      span.tabIndex = -1;
      span.setAttribute("aria-description", "Enter corrects it");
    }

    span.append(...words(update), UNSPACED.has(update.language ?? "") ? "" : " ");
    return span;
  }

  /** Hides paragraphs in which nothing is shown, drops old ones, and lets the newest segment be reached by Tab. */
  private tidy(): void {
    for (const paragraph of [...this.list.children].slice(-3) as HTMLElement[]) {
      paragraph.hidden = !paragraph.querySelector(".segment:not([hidden])");
    }

    if (this.options.keepParagraphs > 0) {
      while (this.list.children.length > this.options.keepParagraphs) this.list.firstElementChild!.remove();
      while (this.segments[0] && !this.segments[0].span.isConnected) this.segments.shift();
    }

    if (!this.options.onEdit || this.list.contains(document.activeElement)) return;
    this.list.querySelectorAll<HTMLElement>('.segment[tabindex="0"]').forEach((segment) => (segment.tabIndex = -1));
    const newest = this.segments.findLast((segment) => segment.span.tabIndex === -1 && segment.update.state !== "tentative" && !segment.span.hidden);
    if (newest) newest.span.tabIndex = 0;
  }

  private edit(target: EventTarget | null): void {
    const span = (target as Element | null)?.closest<HTMLElement>(".segment");
    const update = span && this.find(Number(span.dataset["segment"]));
    if (span && update && update.state !== "tentative") this.options.onEdit?.(update, span);
  }

  /** Enter corrects; the arrows go from segment to segment. */
  private key(event: KeyboardEvent): void {
    const span = event.target as HTMLElement;
    if (!span.classList.contains("segment")) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.edit(span);
      return;
    }

    const step = event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : 0;
    if (step === 0) return;
    const reachable = this.segments.filter(({ update, span: other }) => update.state !== "tentative" && !other.hidden);
    const next = reachable[reachable.findIndex((segment) => segment.span === span) + step];
    if (!next) return;
    event.preventDefault();
    span.tabIndex = -1;
    next.span.tabIndex = 0;
    next.span.focus();
  }
}

/** The text, its words in elements of their own where they can be found in it. */
function words(update: CaptionUpdate): Node[] {
  const nodes: Node[] = [];
  let at = 0;
  for (const word of update.words) {
    const found = word.text ? update.text.indexOf(word.text, at) : -1;
    if (found < 0) return [document.createTextNode(update.text)];
    const percent = Math.round(100 * word.confidence);
    const span = make("span", { class: "word", text: word.text, title: `${percent} % sure` });
    if (word.confidence < DOUBTFUL) span.classList.add(word.confidence < GUESS ? "guess" : "doubtful");
    nodes.push(document.createTextNode(update.text.slice(at, found)), span);
    at = found + word.text.length;
  }

  nodes.push(document.createTextNode(update.text.slice(at)));
  return nodes;
}
