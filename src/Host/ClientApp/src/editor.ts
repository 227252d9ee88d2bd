import { explain } from "./api";
import { make } from "./dom";
import type { CaptionUpdate } from "./protocol";

/** Sends a text for the update that was seen. */
export type SendCorrection = (seen: CaptionUpdate, text: string) => Promise<void>;

/** Lets the user correct one segment in its place; one at a time. Enter saves, Escape leaves it as it was. */
export function editSegment(seen: CaptionUpdate, span: HTMLElement, send: SendCorrection): void {
  document.querySelector<HTMLFormElement>("form.correction")?.querySelector<HTMLButtonElement>("button.cancel")?.click();
  const input = make("textarea");
  input.value = seen.text;
  input.rows = 1;
  input.maxLength = 2000;
  input.setAttribute("aria-label", "The right text");
  input.enterKeyHint = "done";
  const save = make("button", { class: "primary", text: "Save" });
  const cancel = make("button", { class: "cancel", text: "Cancel" });
  cancel.type = "button";
  const problem = make("p", { class: "problem" });
  problem.setAttribute("role", "alert");
  const form = make("form", { class: "correction" }, input, make("div", { class: "row" }, save, cancel, problem));
  const segmentId = span.dataset["segment"];
  const list = span.closest("ol");

  const close = (): void => {
    form.remove();
    const shown = list?.querySelector<HTMLElement>(`.segment[data-segment="${segmentId}"]`);
    shown?.classList.remove("edited");
    shown?.focus();
  };
  const grow = (): void => {
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  };

  input.addEventListener("input", grow);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  cancel.addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === seen.text) {
      close();
      return;
    }

    save.disabled = true;
    problem.textContent = "";
    send(seen, text).then(close, (error: unknown) => {
      problem.textContent = explain(error);
      save.disabled = false;
    });
  });

  span.classList.add("edited");
  span.after(form);
  input.focus();
  grow();
}
