import { element, make } from "./dom";
import { remembered } from "./preferences";
import { LESSON } from "./samples";

const STEPS = ["play", "correct", "learn", "check"] as const;
type Step = (typeof STEPS)[number];

/** The card that leads a newcomer round the loop: play a clip, correct the word, learn, play the other clip. Dismissed once, it stays away. */
export class Lesson {
  private readonly card = element("lesson");
  private readonly done = new Set<Step>();
  private readonly corrected = new Set<string>();

  /** @param choose Chooses a sample clip and plays it. */
  constructor(choose: (clip: "lesson" | "exam") => void) {
    element("lesson-close").addEventListener("click", () => {
      remembered.set("lesson", "seen");
      this.card.hidden = true;
    });
    element("lesson-word").textContent = LESSON.word;
    element("lesson-said").replaceChildren(...LESSON.said.map((text) => make("li", { text })));
    element("lesson-exam").textContent = LESSON.exam;
    element("lesson-play").addEventListener("click", () => choose("lesson"));
    element("lesson-check").addEventListener("click", () => choose("exam"));
  }

  /** Shows the card where the clips make sense: the demo model has never heard their word, and it knows their voices. */
  offer(isFit: boolean): void {
    this.card.hidden = !isFit || remembered.get("lesson") === "seen";
    this.show();
  }

  /** Counts an utterance that was corrected; several corrections of one are one. */
  correctedOne(utterance: string): void {
    if (this.card.hidden || this.next !== "correct") return;
    this.corrected.add(utterance);
    if (this.corrected.size >= LESSON.enough) this.done.add("correct");
    this.show();
  }

  /** Goes on where it was this step's turn: another caption may be corrected, and another round promoted, before it. */
  did(step: Exclude<Step, "correct">): void {
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

    element("lesson-count").textContent = this.corrected.size === 0 ? "" : `${this.corrected.size} of ${LESSON.enough} are corrected.`;
    element("lesson-end").hidden = next !== undefined;
  }
}
