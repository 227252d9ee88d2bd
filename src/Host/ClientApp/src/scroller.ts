import { element } from "./dom";

/** Nearer to the end than this, the text is at its end. */
const NEAR_PIXELS = 60;

/** Keeps the newest caption in sight until the user scrolls away or pauses. */
export class Scroller {
  private readonly panel = element("scroller");
  private readonly pause = element<HTMLButtonElement>("follow");
  private readonly newest = element<HTMLButtonElement>("newest");
  private isPaused = false;
  private isAway = false;

  /** Whether the text is to stay where it is for now: somebody writes in it. */
  isHeld = (): boolean => false;

  constructor() {
    this.panel.addEventListener("scroll", () => {
      this.isAway = this.panel.scrollHeight - this.panel.scrollTop - this.panel.clientHeight > NEAR_PIXELS;
      this.show();
    });
    this.pause.addEventListener("click", () => {
      this.isPaused = !this.isPaused;
      this.isAway = this.isPaused && this.isAway;
      this.changed();
    });
    this.newest.addEventListener("click", () => {
      this.isPaused = this.isAway = false;
      this.changed();
    });
    new ResizeObserver(() => this.changed()).observe(this.panel);
  }

  /** Call after the text has changed. */
  changed(): void {
    if (!this.isPaused && !this.isAway && !this.isHeld()) this.panel.scrollTop = this.panel.scrollHeight;
    else if (this.isPaused) this.isAway = this.panel.scrollHeight - this.panel.scrollTop - this.panel.clientHeight > NEAR_PIXELS;
    this.show();
  }

  private show(): void {
    this.pause.setAttribute("aria-pressed", String(this.isPaused));
    this.newest.hidden = !this.isAway || this.isHeld();
  }
}
