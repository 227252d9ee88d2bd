import { ApiError, getJson, may } from "./api";
import type { CaptionsView, Doubt, Utterance } from "./captions";
import { element, make } from "./dom";
import type { CorrectionSuggestion, StoredCorrection, Word } from "./protocol";

/** The list holds no more: who has corrected these asks for more. */
const LONGEST_LIST = 30;
const DELAY_MS = 400;
const JUDGED_PERIOD_MS = 5000;
const SUGGESTIONS = 100;
const CORRECTIONS = 500;

/** What is worth correcting in the session that is shown, and who has corrected what. */
export class Suggestions {
  private timer = 0;
  private authorsTimer = 0;
  private judgedTimer = 0;
  private isRefused = false;
  private isUnjudged = false;
  private found: Doubt[] = [];

  /** What the host thinks of words, by the sequence of their update; until it is asked, what the update said counts. */
  private judged: ReadonlyMap<number, Word[]> = new Map();

  constructor(
    private readonly view: CaptionsView,
    private readonly sessionId: () => string,
    private readonly onChoose: (utterance: Utterance, at: number) => void,
  ) {}

  /** Words that may be wrong, the least sure first. */
  get doubts(): Doubt[] {
    return this.found;
  }

  /** Call when captions have changed. */
  changed(): void {
    this.timer ||= window.setTimeout(() => {
      this.timer = 0;
      this.found = this.view.doubts(this.judged).sort((a, b) => a.confidence - b.confidence);
      this.show();
    }, DELAY_MS);
    if (!may("corrector") || this.isUnjudged) return;
    this.judgedTimer ||= window.setTimeout(() => {
      this.judgedTimer = 0;
      this.askForConfidence().catch((error: unknown) => {
        if (error instanceof ApiError) this.isUnjudged = error.status === 403 || error.status === 404;
      });
    }, JUDGED_PERIOD_MS);
  }

  /** Call when a correction came. */
  corrected(): void {
    if (!may("corrector") || this.isRefused) return;
    this.authorsTimer ||= window.setTimeout(() => {
      this.authorsTimer = 0;
      this.askForAuthors().catch((error: unknown) => {
        // Who corrected is an extra: a host may not tell, or not be there just now.
        if (error instanceof ApiError) this.isRefused = error.status === 403 || error.status === 404;
      });
    }, DELAY_MS);
  }

  /** The confidences of a live caption are those of its time; what people corrected since may have shown which of them are good. */
  private async askForConfidence(): Promise<void> {
    const id = this.sessionId();
    if (!id) return;
    const { items } = await getJson<{ items: CorrectionSuggestion[] }>(`api/corrections/suggestions?session=${encodeURIComponent(id)}&limit=${SUGGESTIONS}`);
    if (id !== this.sessionId()) return;
    this.judged = new Map(items.map((item) => [item.sequence, item.words]));
    this.found = this.view.doubts(this.judged).sort((a, b) => a.confidence - b.confidence);
    this.show();
  }

  private async askForAuthors(): Promise<void> {
    const id = this.sessionId();
    const { items } = await getJson<{ items: StoredCorrection[] }>(`api/corrections?session=${encodeURIComponent(id)}&limit=${CORRECTIONS}`);
    if (id !== this.sessionId()) return;

    // The newest correction of a segment counts.
    const authors = new Map<number, string>();
    for (const item of items.sort((a, b) => a.number - b.number)) if (item.segmentId !== null) authors.set(item.segmentId, item.author ?? "someone");
    this.view.setAuthors(authors);
  }

  private show(): void {
    const check = element<HTMLDetailsElement>("check");
    check.hidden = this.found.length === 0 || !may("corrector");
    element("check-summary").textContent = `Check ${this.found.length}`;
    if (check.contains(document.activeElement) && check.open) return;
    element("check-words").replaceChildren(
      ...this.found.slice(0, LONGEST_LIST).map((doubt) => {
        const choice = make("button", {}, make("span", { text: doubt.text }), make("span", { class: "figures", text: `${Math.round(100 * doubt.confidence)} %` }));
        choice.type = "button";
        choice.addEventListener("click", () => {
          check.open = false;
          const utterance = this.view.utterance(doubt.segmentId);
          if (utterance) this.onChoose(utterance, doubt.at);
        });
        return make("li", {}, choice);
      }),
    );
  }
}
