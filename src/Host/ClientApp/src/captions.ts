import type { CaptionUpdate } from "./protocol";

/** Shows captions: an update replaces its segment; what is tentative is dim and not read aloud. */
export class CaptionsView {
  private readonly segments = new Map<number, { update: CaptionUpdate; line: HTMLLIElement | null }>();

  constructor(
    private readonly panel: HTMLElement,
    private readonly lines: HTMLOListElement,
    private readonly tentative: HTMLElement,
    private readonly empty: HTMLElement,
  ) {}

  /** Forgets everything; what is shown until the first caption. */
  clear(hint: string): void {
    this.empty.textContent = hint;
    this.segments.clear();
    this.lines.replaceChildren();
    this.tentative.textContent = "";
    this.empty.hidden = false;
  }

  show(update: CaptionUpdate, sampleRateHz: number): void {
    const known = this.segments.get(update.segmentId);
    if (known && known.update.revision >= update.revision) return;
    const follows = this.panel.scrollHeight - this.panel.scrollTop - this.panel.clientHeight < 80;
    const segment = { update, line: known?.line ?? null };
    this.segments.set(update.segmentId, segment);
    this.empty.hidden = true;
    if (update.state !== "tentative" && update.text) {
      segment.line ??= this.addLine(update.segmentId);
      const time = document.createElement("time");
      time.textContent = clock(update.startSample / sampleRateHz);
      const text = document.createElement("span");
      text.textContent = update.text;
      if (update.language) text.lang = update.language;
      segment.line.replaceChildren(time, text);
      segment.line.className = update.state;
    } else if (segment.line && !update.text) {
      segment.line.remove();
      segment.line = null;
    }

    this.tentative.textContent = [...this.segments.values()]
      .filter((other) => other.update.state === "tentative")
      .map((other) => other.update.text)
      .join(" ");
    if (follows) this.panel.scrollTop = this.panel.scrollHeight;
  }

  private addLine(segmentId: number): HTMLLIElement {
    const line = document.createElement("li");
    line.dataset["segment"] = String(segmentId);
    const next = [...this.lines.children].find((other) => Number((other as HTMLElement).dataset["segment"]) > segmentId);
    this.lines.insertBefore(line, next ?? null);
    return line;
  }
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
