import { ApiError, call, EXPORT_FORMATS, may, saveCaptions, type SessionDescription, sessionPath, succeed } from "./api";
import { button, clock, confirmed, element, make, onClick } from "./dom";

const REFRESH_MS = 4000;

/** The list of sessions: open, export, end, delete. It is asked for again and again while it is seen. */
export class SessionsView {
  private timer = 0;
  private isSeen = false;
  private shown = "";

  /** What this host has turned out not to offer. */
  private readonly missing = new Set<string>();

  private pages = 1;

  constructor(private readonly onError: (error: unknown) => void) {
    onClick(element<HTMLButtonElement>("sessions-more"), async () => {
      this.pages++;
      await this.refresh();
    });
  }

  show(): void {
    this.isSeen = true;
    window.clearTimeout(this.timer);
    this.refresh()
      .catch((error: unknown) => {
        // Who gives no key is not asked again and again.
        if (error instanceof ApiError && error.status === 401) this.isSeen = false;
        this.onError(error);
      })
      .finally(() => {
        window.clearTimeout(this.timer);
        if (this.isSeen) this.timer = window.setTimeout(() => this.show(), REFRESH_MS);
      });
  }

  hide(): void {
    this.isSeen = false;
    window.clearTimeout(this.timer);
  }

  private async refresh(): Promise<void> {
    const { sessions, hasMore } = await this.read();
    element("sessions-more").hidden = !hasMore;
    const state = JSON.stringify(sessions) + [...this.missing].join();

    // What has not changed is left alone: an open menu stays open, the focus where it is.
    if (state === this.shown) return;
    const list = element("sessions");
    if (list.querySelector("details[open]")) return;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["action"];
    this.shown = state;
    element("sessions-empty").hidden = sessions.length > 0;
    list.replaceChildren(...sessions.map((session) => this.row(session)));
    if (focused) list.querySelector<HTMLElement>(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  }

  /** The newest sessions, as many pages as the user wants. A host that has no more pages names no next one. */
  private async read(): Promise<{ sessions: SessionDescription[]; hasMore: boolean }> {
    const sessions: SessionDescription[] = [];
    let next: string | null = "api/sessions";
    for (let page = 0; next && page < this.pages; page++) {
      const answer = await succeed(next);
      sessions.push(...((await answer.json()) as SessionDescription[]));
      const query = /<[^?>]*(\?[^>]*)>;\s*rel="?next/.exec(answer.headers.get("Link") ?? "")?.[1];
      next = query ? `api/sessions${query}` : null;
    }

    sessions.sort((a, b) => b.startedAt.localeCompare(a.startedAt));
    return { sessions, hasMore: next !== null };
  }

  private row(session: SessionDescription): HTMLElement {
    const id = session.sessionId;
    const isOpen = session.state === "active";
    const started = new Date(session.startedAt);
    const facts = [
      started.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
      `${clock(session.acknowledgedSamples / session.sampleRateHz)} of audio`,
      session.segments === 1 ? "1 caption" : `${session.segments} captions`,
      ...(session.viewers > 0 ? [session.viewers === 1 ? "1 viewer" : `${session.viewers} viewers`] : []),
      ...(session.language ? [session.language] : []),
    ];
    const open = make("a", { class: "button", text: isOpen ? "Watch" : "Open" });
    open.href = `?session=${encodeURIComponent(id)}`;
    const corrections = make("a", { class: "button", text: "Corrections" });
    corrections.href = `#corrections?session=${encodeURIComponent(id)}`;
    const exports = EXPORT_FORMATS.map((format) => button(format.toUpperCase(), () => saveCaptions(id, format)));
    const actions = make("div", { class: "actions" }, open, make("details", { class: "menu" }, make("summary", { text: "Export" }), make("div", { class: "pair" }, ...exports)));
    if (may("corrector")) actions.append(corrections);
    if (isOpen && !this.missing.has("end")) actions.append(button("End", () => this.act("end", `${sessionPath(id)}/end`, "POST")));
    if (!this.missing.has("delete")) actions.append(button("Delete", () => this.remove(id, facts.join(" · ")), { class: "danger" }));
    for (const action of actions.querySelectorAll<HTMLElement>("a, button, summary")) action.dataset["action"] = `${id} ${action.textContent}`;
    const pill = make("span", { class: "pill", text: session.state });
    pill.dataset["state"] = isOpen ? "live" : session.state === "failed" ? "broken" : "ended";
    return make(
      "li",
      {},
      make("div", { class: "about" }, make("div", { class: "name" }, pill, make("code", { text: id.length > 14 ? `${id.slice(0, 12)}…` : id, title: id })), make("p", { class: "hint", text: facts.join(" · ") }), ...(session.error ? [make("p", { class: "problem", text: session.error })] : [])),
      actions,
    );
  }

  private async remove(id: string, what: string): Promise<void> {
    const loss = `Its audio, captions and corrections go with it: ${what}.`;
    if (await confirmed("Delete this session for good?", loss, "Delete", true)) await this.act("delete", sessionPath(id), "DELETE");
  }

  /** Does it; what the host does not offer is not offered again. */
  private async act(action: string, path: string, method: string): Promise<void> {
    try {
      await succeed(path, { method });
    } catch (error) {
      const absent = error instanceof ApiError && (error.status === 405 || (error.status === 404 && (await call(path.replace(/\/end$/, ""))).ok));
      if (absent) this.missing.add(action);
      else throw error;
    } finally {
      await this.refresh();
    }
  }
}
