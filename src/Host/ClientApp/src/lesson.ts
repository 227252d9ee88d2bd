import { element } from "./dom";
import { remembered } from "./preferences";

const STEPS = ["play", "correct", "learn", "check"] as const;
type Step = (typeof STEPS)[number];

/** The card that leads a newcomer round the loop: play a clip, correct the word, learn, play the other clip. Dismissed once, it stays away. */
export class Lesson {
  private readonly card = element("lesson");
  private readonly done = new Set<Step>();

  /** @param choose Chooses a sample clip and plays it. */
  constructor(choose: (clip: "lesson" | "exam") => void) {
    element("lesson-close").addEventListener("click", () => {
      remembered.set("lesson", "seen");
      this.card.hidden = true;
    });
    element("lesson-play").addEventListener("click", () => choose("lesson"));
    element("lesson-check").addEventListener("click", () => choose("exam"));
  }

  /** Shows the card where the clips make sense: the demo model has never heard their word, and it knows their voices. */
  offer(isFit: boolean): void {
    this.card.hidden = !isFit || remembered.get("lesson") === "seen";
    this.show();
  }

  /** Goes on where it was this step's turn: another caption may be corrected, and another round promoted, before it. */
  did(step: Step): void {
    if (this.card.hidden || this.next !== step) return;
    this.done.add(step);
    this.show();
  }

  private get next(): Step | undefined {
    return STEPS.find((step) => !this.done.has(step));
  }

  private show(): void {
    const next = this.next;
    for (const step of STEPS) {
      const item = this.card.querySelector<HTMLElement>(`[data-step="${step}"]`)!;
      item.hidden = step !== next;
    }

    element("lesson-step").textContent = next ? `step ${STEPS.indexOf(next) + 1} of ${STEPS.length}` : "";

    element("lesson-end").hidden = next !== undefined;
  }
}
