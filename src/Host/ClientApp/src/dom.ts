/** The element of an id that index.html has. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Makes an element with its class, text and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: { class?: string; text?: string; title?: string } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (options.class) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  if (options.title) made.title = options.title;
  made.append(...children);
  return made;
}

/** A button that says what goes wrong, and takes one press at a time. */
export function button(text: string, onPress: () => Promise<void> | void, options: { class?: string; title?: string } = {}): HTMLButtonElement {
  const made = make("button", { text, ...options });
  made.type = "button";
  onClick(made, onPress);
  return made;
}

/** Handles clicks of a button: disabled while the work runs, and an error is shown to the user. */
export function onClick(target: HTMLButtonElement, work: () => Promise<void> | void): void {
  target.addEventListener("click", () => {
    target.disabled = true;
    Promise.resolve()
      .then(work)
      .catch((error: unknown) => target.dispatchEvent(new CustomEvent("failed", { bubbles: true, detail: error })))
      .finally(() => (target.disabled = false));
  });
}

/** `1:05`, or `1:01:05` from an hour on. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const tail = `${String(whole % 60).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

export function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => window.setTimeout(resolve, milliseconds));
}

/** Asks the user in a dialog of index.html before something that cannot be undone, or that changes everybody's captions. */
export async function confirmed(title: string, what: string, action: string, isDangerous = false): Promise<boolean> {
  const dialog = element<HTMLDialogElement>("confirm-dialog");
  const button = element<HTMLButtonElement>("confirm-do");
  element("confirm-title").textContent = title;
  element("confirm-what").textContent = what;
  button.textContent = action;
  button.className = isDangerous ? "danger" : "primary";
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  return dialog.returnValue === "do";
}
