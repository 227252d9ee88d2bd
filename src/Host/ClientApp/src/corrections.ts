import { ApiError, getJson, may, succeed } from "./api";
import { diffText } from "./diff";
import { button, confirmed, element, make, onClick } from "./dom";
import { playFile } from "./player";
import { Poller } from "./poller";
import type { StoredCorrection } from "./protocol";

const REFRESH_MS = 4000;
const PAGE = 50;

/** What became of a correction, in a word: its state, unless it is being learned or was. */
type Standing = StoredCorrection["state"] | "in training" | "learned";

const COLOURS: Record<Standing, string> = { stored: "waiting", ready: "waiting", held: "broken", refused: "ended", superseded: "ended", "in training": "live", learned: "live" };

/** The corrections with what became of them: heard, released, refused, deleted. */
export class CorrectionsView {
  private readonly poller: Poller;
  private readonly standing = element<HTMLSelectElement>("corrections-standing");
  private readonly author = element<HTMLInputElement>("corrections-author");
  private pages = 1;
  private shown = "";

  constructor(onError: (error: unknown) => void) {
    this.poller = new Poller(() => this.refresh(), () => REFRESH_MS, onError);
    const again = (): void => {
      this.pages = 1;
      this.poller.now();
    };
    this.standing.addEventListener("change", again);
    this.author.addEventListener("change", again);
    onClick(element<HTMLButtonElement>("corrections-all"), () => {
      location.hash = "corrections";
    });
    onClick(element<HTMLButtonElement>("corrections-more"), () => {
      this.pages++;
      this.poller.now();
    });
  }

  show(): void {
    this.poller.show();
  }

  hide(): void {
    this.poller.hide();
  }

  changed(): void {
    this.poller.now();
  }

  private async refresh(): Promise<void> {
    // A session's own: #corrections?session=ID.
    const session = new URLSearchParams(location.hash.split("?")[1] ?? "").get("session");
    element("corrections-session").hidden = session === null;
    const wanted = this.standing.value as Standing | "";
    const found: StoredCorrection[] = [];
    let after: number | string | null = null;
    for (let page = 0; page < this.pages; page++) {
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (wanted) query.set("state", wanted === "in training" || wanted === "learned" ? "ready" : wanted);
      if (session) query.set("session", session);
      if (this.author.value.trim()) query.set("author", this.author.value.trim());
      if (after !== null) query.set("after", String(after));
      const answer: { items: StoredCorrection[]; next: number | string | null } = await getJson(`api/corrections?${query}`);
      found.push(...answer.items);
      after = answer.next;
      if (after === null || after === undefined) break;
    }

    const items = found.filter((item) => (wanted ? standingOf(item) === wanted : item.state !== "superseded"));
    const state = JSON.stringify([items, session]);

    // What has not changed is left alone: the focus stays where it is.
    if (state === this.shown) return;
    this.shown = state;
    const list = element("corrections");
    const focused = (document.activeElement as HTMLElement | null)?.dataset["action"];
    element("corrections-more").hidden = !after;
    element("corrections-empty").hidden = items.length > 0;
    list.replaceChildren(...items.map((item) => this.row(item)));
    if (focused) list.querySelector<HTMLElement>(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  }

  private row(item: StoredCorrection): HTMLElement {
    const standing = standingOf(item);
    const path = `api/corrections/${item.number}`;
    const pill = make("span", { class: "pill", text: standing });
    pill.dataset["state"] = COLOURS[standing];
    const facts = [
      new Date(item.createdAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
      ...(item.author ? [`by ${item.author}`] : []),
      item.adapterVersion === "unknown" ? "imported" : `heard by ${item.adapterVersion}`,
      ...(item.speaker ? [item.speaker] : []),
      ...(item.domain ? [item.domain] : []),
      ...(item.learnedBy ? [`learned by ${item.learnedBy}`] : []),
      ...(item.split === "held-out" ? ["kept for judging, not trained on"] : []),
    ];
    const about = make(
      "div",
      { class: "about" },
      make("div", { class: "name" }, pill, make("b", { class: "figures", text: `#${item.number}` })),
      diffText(item.diff ?? [{ op: "replace", hypothesis: item.hypothesis, text: item.text }], item.language),
      ...(item.reason && (item.state === "held" || item.state === "refused") ? [make("p", { class: "problem", text: item.reason })] : []),
      make("p", { class: "hint", text: facts.join(" · ") }),
    );
    const actions = make("div", { class: "actions" });
    if (item.clip) actions.append(button("▶ Play", () => playFile(path + "/audio")));
    if (may("admin") && item.state === "held") {
      actions.append(button("Release", () => this.act(`${path}/release`, "POST"), { title: "It is right: learn from it" }), button("Refuse", () => this.act(`${path}/refuse`, "POST"), { title: "It is wrong: never learn from it" }));
    }

    if (may("admin")) {
      const loss = `“${item.text}” and its audio are gone for good${item.learnedBy ? `, and adapters that learned from it are marked: they should be rebuilt without it` : ""}.`;
      actions.append(button("Delete", async () => void ((await confirmed(`Delete correction ${item.number}?`, loss, "Delete", true)) && (await this.act(path, "DELETE"))), { class: "danger" }));
    }

    for (const action of actions.querySelectorAll<HTMLElement>("button")) {
      action.dataset["action"] = `${item.number} ${action.textContent}`;
      action.setAttribute("aria-label", `${action.textContent} correction ${item.number}`);
    }

    const row = make("li", {}, about, actions);
    row.dataset["number"] = String(item.number);
    return row;
  }

  private async act(path: string, method: string): Promise<void> {
    try {
      await succeed(path, { method });
    } catch (error) {
      // Somebody else deleted it: the list will say so.
      if (!(error instanceof ApiError && error.status === 404 && method === "DELETE")) throw error;
    } finally {
      this.changed();
    }
  }
}

export function standingOf(item: StoredCorrection): Standing {
  return item.state === "ready" && item.inTraining ? "in training" : item.learnedBy ? "learned" : item.state;
}
