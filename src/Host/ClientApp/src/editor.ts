import { explain } from "./api";
import { type CaptionsView, type Doubt, partsOf, type Utterance } from "./captions";
import { button, make } from "./dom";
import { playSession, stopPlaying } from "./player";
import { remembered } from "./preferences";
import type { CaptionUpdate } from "./protocol";
import { divide, join, tidy } from "./utterance";

/** Characters of a segment's text that the host takes. */
const LONGEST_TEXT = 4000;

export interface EditorOptions {
  /** Sends a text for the update that was seen. */
  send(seen: CaptionUpdate, text: string, author: string): Promise<void>;
  /** The session, where its audio can be heard; null where not. */
  audible(): { sessionId: string; sampleRateHz: number } | null;
  /** Whether playing would be heard by a microphone that is captioned. */
  isListening(): boolean;
  /** Words that may be wrong, the least sure first. */
  doubts(): Doubt[];
  /** Told when it has opened or closed. */
  moved(): void;
}

/** Corrects an utterance in its place, one at a time: Enter saves, Escape leaves it as it was, Tab goes to the next word that may be wrong. */
export class Editor {
  private close: (() => void) | null = null;

  constructor(
    private readonly view: CaptionsView,
    private readonly options: EditorOptions,
  ) {}

  get isOpen(): boolean {
    return this.close !== null;
  }

  /**
   * Opens it.
   * @param utterance What is corrected.
   * @param at A word's place in its text, selected at first; null for the first one that may be wrong.
   */
  open(utterance: Utterance, at: number | null): void {
    this.close?.();
    const ids = utterance.updates.map((update) => update.segmentId);
    const anchor = this.view.anchor(ids[0]!);
    if (!anchor) return;

    const input = make("textarea");
    input.value = utterance.text;
    input.rows = 1;
    input.maxLength = LONGEST_TEXT;
    input.enterKeyHint = "done";
    input.setAttribute("aria-label", "The right text");
    const hint = make("p", { class: "hint", text: "Enter saves · Esc leaves it · Tab: next doubtful word · F9 plays" });
    hint.id = "correction-hint";
    input.setAttribute("aria-describedby", hint.id);
    const author = make("input", { class: "author" });
    author.value = remembered.get("author") ?? "";
    author.maxLength = 200;
    author.placeholder = "your name";
    author.setAttribute("autocomplete", "nickname");
    author.setAttribute("aria-label", "Your name, which stands beside the correction");
    const save = make("button", { class: "primary", text: "Save" });
    const cancel = make("button", { class: "cancel", text: "Cancel" });
    cancel.type = "button";
    const problem = make("p", { class: "problem" });
    problem.setAttribute("role", "alert");
    const play = button("▶ Play", () => listen(), { class: "play", title: "F9" });
    const row = make("div", { class: "row" }, save, cancel, play, author);
    const form = make("form", { class: "correction" }, input, row, hint, problem);
    let seen = sequences(utterance.updates);

    const listen = async (): Promise<void> => {
      const audible = this.options.audible();
      if (!audible) return;
      const [first, last] = [utterance.updates[0]!, utterance.updates.at(-1)!];
      await playSession(audible.sessionId, audible.sampleRateHz, first.startSample, last.endSample).catch((error: unknown) => (problem.textContent = explain(error)));
    };
    const close = (): void => {
      this.close = null;
      stopPlaying();
      form.remove();
      this.view.hide([]);
      this.view.focus(ids[0]!);
      this.options.moved();
    };
    const grow = (): void => {
      input.style.height = "auto";
      input.style.height = `${input.scrollHeight}px`;
    };
    const select = (text: string, at: number): boolean => {
      // What was typed before it may have moved it: the nearest one is meant.
      let found = -1;
      for (let place = input.value.indexOf(text); place >= 0; place = input.value.indexOf(text, place + 1)) {
        if (found < 0 || Math.abs(place - at) < Math.abs(found - at)) found = place;
      }

      if (found < 0) return false;
      input.focus();
      input.setSelectionRange(found, found + text.length);
      return true;
    };

    // The least sure first.
    const doubts = this.options.doubts().filter((doubt) => ids.includes(doubt.segmentId));
    if (doubts.length > 0) {
      const chips = doubts.map((doubt) => button(doubt.text, () => void select(doubt.text, doubt.at), { title: `${Math.round(100 * doubt.confidence)} % sure` }));
      input.after(make("div", { class: "doubts" }, make("span", { class: "hint", text: "Not sure of:" }), ...chips));
    }

    const selected = at ?? doubts[0]?.at ?? null;
    const waiting = doubts.filter((doubt) => doubt.at !== selected);
    const advance = (): boolean => {
      for (let doubt = waiting.shift(); doubt; doubt = waiting.shift()) if (select(doubt.text, doubt.at)) return true;
      if (tidy(input.value) !== tidy(utterance.text)) return false;
      const later = this.options.doubts().map((doubt) => doubt.segmentId).filter((id) => id > ids.at(-1)!);
      const following = later.length > 0 ? this.view.utterance(Math.min(...later)) : undefined;
      if (following) this.open(following, null);
      return following !== undefined;
    };

    input.addEventListener("input", grow);
    form.addEventListener("keydown", (event) => {
      const isTab = event.key === "Tab" && !event.shiftKey && event.target === input;
      if (event.key === "Escape") close();
      else if (event.key === "F9") void listen();
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.target === input) form.requestSubmit();
      else if (!isTab || !advance()) return;
      event.preventDefault();
      event.stopPropagation();
    });
    cancel.addEventListener("click", close);
    author.addEventListener("change", () => remembered.set("author", author.value.trim()));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const newest = ids.map((id) => this.view.find(id)!);
      if (sequences(newest) !== seen) {
        // Somebody else was quicker: what is there now is not replaced unseen.
        seen = sequences(newest);
        problem.textContent = `Meanwhile this became “${join(partsOf(newest)).text}”. Save again to replace it.`;
        return;
      }

      if (tidy(input.value) === utterance.text && seen === sequences(utterance.updates)) {
        close();
        return;
      }

      save.disabled = true;
      problem.textContent = "";
      this.save(newest, input.value, author.value.trim()).then(close, (error: unknown) => {
        problem.textContent = explain(error);
        seen = sequences(ids.map((id) => this.view.find(id)!));
        save.disabled = false;
      });
    });

    this.close = close;
    this.view.hide(ids);
    anchor.before(form);
    play.hidden = !this.options.audible();
    input.focus();
    if (selected === null) input.setSelectionRange(input.value.length, input.value.length);
    else input.setSelectionRange(selected, selected + wordAt(utterance.text, selected).length);
    grow();
    this.options.moved();
    form.scrollIntoView({ block: "nearest" });
    if (!play.hidden && !this.options.isListening()) void listen();
  }

  /** Sends each segment's share of the text, where it is another one now. What was sent when one fails stays. */
  private async save(updates: CaptionUpdate[], text: string, author: string): Promise<void> {
    const texts = divide(partsOf(updates), text);
    for (const [index, update] of updates.entries()) if (texts[index] !== update.text) await this.options.send(update, texts[index]!, author);
  }
}

function sequences(updates: readonly CaptionUpdate[]): string {
  return updates.map((update) => update.sequence).join();
}

/** The word at a place of a text, without what stands around it. */
function wordAt(text: string, at: number): string {
  return /^[\p{L}\p{N}\p{M}'’-]+|^\S+/u.exec(text.slice(at))?.[0] ?? "";
}
