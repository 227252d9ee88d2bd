import { getJson, may, succeed } from "./api";
import { drawChart } from "./chart";
import { Comparison } from "./comparison";
import { button, clock, confirmed, element, make, onClick } from "./dom";
import { Poller } from "./poller";
import type { Adapter, StoredCorrection, TrainingJob, TrainingState } from "./protocol";

const IDLE_REFRESH_MS = 6000;
const RUNNING_REFRESH_MS = 2000;
const CHART_HEIGHT = 230;
const LOSS_HEIGHT = 120;

/** Clips that can be chosen to compare adapters by. */
const CLIPS = 30;

const PHASES: Record<NonNullable<TrainingJob["progress"]>["phase"], string> = { data: "choosing what to learn from", training: "training", evaluating: "judging the result", paused: "paused: captions go first" };
const JOB_COLOURS: Record<TrainingJob["state"], string> = { queued: "waiting", running: "live", done: "ended", failed: "broken", cancelled: "ended" };
const ADAPTER_COLOURS: Record<Adapter["state"], string> = { candidate: "waiting", provisional: "waiting", promoted: "ended", rejected: "broken", "rolled-back": "ended" };

/** The learning loop as a person sees and steers it: rounds of training, versions of adapters, and what they make of a clip. */
export class LearningView {
  private readonly poller: Poller;

  /** The round that runs or waits. */
  private job: TrainingJob | null = null;

  /** Of that round: [step, loss]. */
  private losses: [number, number][] = [];
  private lossesOf = "";
  private shownAdapters = "";
  private shownJobs = "";
  private adapters: Adapter[] = [];
  private active: string | null = null;

  /** What is compared: the base model, what was active before, what is. */
  private readonly comparison = new Comparison(() => {
    const line = this.lineage(this.active);
    return line.slice(-2).length < 2 ? [["base model", null]] : [["base model", null], ...(line.length > 2 ? ([["before", line.at(-2)!]] as [string, string][]) : []), ["active", line.at(-1)!]];
  });

  constructor(onError: (error: unknown) => void) {
    this.poller = new Poller(() => this.refresh(), () => (this.job ? RUNNING_REFRESH_MS : IDLE_REFRESH_MS), onError);
    onClick(element<HTMLButtonElement>("learn"), () => this.learn());
    onClick(element<HTMLButtonElement>("learn-cancel"), async () => {
      if (this.job) await succeed(`api/training/jobs/${encodeURIComponent(this.job.id)}`, { method: "DELETE" });
      this.poller.now();
    });
    onClick(element<HTMLButtonElement>("roll-back"), () => this.rollBack());
    new ResizeObserver(() => this.drawRates()).observe(element("rates-figure"));
  }

  show(): void {
    this.poller.show();
  }

  hide(): void {
    this.poller.hide();
  }

  /** Starts a round. */
  async learn(): Promise<void> {
    await succeed("api/training/jobs", { method: "POST", body: {} });
    this.poller.now();
  }

  /** Takes in what the host says of a round while it runs. */
  progressed(job: TrainingJob): void {
    const isOver = job.state !== "queued" && job.state !== "running";
    this.showRound(isOver ? null : job);
    if (isOver) this.poller.now();
  }

  /** Something may be otherwise now. */
  changed(): void {
    this.poller.now();
  }

  private async refresh(): Promise<void> {
    const [training, registry, corrections] = await Promise.all([
      getJson<TrainingState>("api/training/jobs"),
      getJson<{ active: string | null; items: Adapter[] }>("api/adapters"),
      may("corrector") ? getJson<{ items: StoredCorrection[] }>(`api/corrections?limit=${CLIPS}`) : Promise.resolve({ items: [] }),
    ]);
    this.showTraining(training);
    this.showAdapters(registry.active, registry.items);
    this.comparison.offer(corrections.items);
  }

  // ---- rounds

  private showTraining(training: TrainingState): void {
    const learn = element<HTMLButtonElement>("learn");
    learn.hidden = !may("corrector");
    learn.disabled = !training.canLearn;
    const isRunning = training.items.some((job) => job.state === "running");
    const one = training.ready === 1;
    const count = one ? "1 correction" : `${training.ready} corrections`;
    const ready = isRunning ? `${count} ${one ? "is" : "are"} being learned, or will be by the next round` : `${count} ${one ? "waits" : "wait"} to be learned`;
    element("learn-why").textContent = training.canLearn || !training.why ? `${ready}.` : `${ready}. Not now: ${training.why}.`;
    this.showRound(training.items.find((job) => job.state === "running") ?? training.items.find((job) => job.state === "queued") ?? null);

    const state = JSON.stringify(training.items);
    if (state === this.shownJobs) return;
    this.shownJobs = state;
    element("rounds-empty").hidden = training.items.length > 0;
    element("rounds").replaceChildren(...training.items.map((job) => this.jobRow(job)));
  }

  private showRound(job: TrainingJob | null): void {
    this.job = job;
    element("round").hidden = job === null;
    if (!job) return;
    if (this.lossesOf !== job.id) {
      this.lossesOf = job.id;
      this.losses = [];
    }

    const progress = job.progress;
    element("learn-cancel").hidden = !may("corrector");
    element("round-phase").textContent = job.state === "queued" ? "waiting for its turn" : (PHASES[progress?.phase ?? "data"] ?? "");
    const { phase, step, maxSteps, loss } = progress ?? { phase: "data", step: 0, maxSteps: 0, loss: null };
    const bar = element<HTMLProgressElement>("round-progress");
    if (maxSteps > 0) bar.value = step / maxSteps;
    else bar.removeAttribute("value");
    const figures = [...(maxSteps === 0 ? [] : [phase === "evaluating" ? `${Math.round((100 * step) / maxSteps)} %` : `step ${step} of ${maxSteps}`]), ...(isNumber(loss) ? [`loss ${loss.toFixed(3)}`] : [])];
    element("round-figures").textContent = figures.join(" · ");
    if (phase === "training" && isNumber(loss) && step > (this.losses.at(-1)?.[0] ?? -1)) {
      this.losses.push([step, loss]);
      const figure = element("loss");
      figure.hidden = this.losses.length < 2;
      if (figure.hidden) return;
      const values = this.losses.map(([, value]) => value);
      const description = `Loss of ${values.length} steps, from ${values[0]!.toFixed(3)} to ${loss.toFixed(3)}`;
      element("loss-chart").replaceChildren(drawChart({ series: [{ name: "loss", kind: "first", values }], labels: [], format: (value) => value.toFixed(2), width: Math.max(260, element("round").clientWidth), height: LOSS_HEIGHT, description }));
    } else if (this.losses.length === 0) {
      element("loss").hidden = true;
    }
  }

  private jobRow(job: TrainingJob): HTMLElement {
    const outcome = job.outcome;
    const pill = make("span", { class: "pill", text: outcome?.decision ?? job.state });
    pill.dataset["state"] = outcome?.decision === "promoted" ? "live" : outcome ? ADAPTER_COLOURS[outcome.decision] : JOB_COLOURS[job.state];
    const began = new Date(job.startedAt ?? job.createdAt);
    const seconds = outcome?.seconds ?? (job.startedAt && job.endedAt ? (Date.parse(job.endedAt) - Date.parse(job.startedAt)) / 1000 : null);
    const facts = [began.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }), job.trigger, ...(seconds === null ? [] : [`took ${clock(seconds)}`]), ...(outcome?.adapter ? [outcome.adapter] : [])];
    const reason = outcome?.reason ?? job.error;
    return make("li", {}, make("div", { class: "name" }, pill, make("span", { class: "hint", text: facts.join(" · ") })), ...(reason ? [make("p", { class: job.error ? "problem" : "", text: reason })] : []));
  }

  // ---- adapters

  private showAdapters(active: string | null, items: Adapter[]): void {
    const state = JSON.stringify([active, items]);
    if (state === this.shownAdapters) return;
    this.shownAdapters = state;
    this.active = active;
    this.adapters = [...items].sort((a, b) => a.createdAt.localeCompare(b.createdAt));
    const line = this.lineage(active);
    element("lineage").replaceChildren(...line.flatMap((id, index) => [...(index > 0 ? [" → "] : []), make(index === line.length - 1 ? "b" : "span", { text: id ?? "base model" })]));
    element("roll-back").hidden = !may("admin") || active === null;
    element("adapters-empty").hidden = items.length > 0;
    element("adapters").replaceChildren(...[...this.adapters].reverse().map((adapter) => this.adapterRow(adapter)));
    this.drawRates();
  }

  /** From the base model (null) to an adapter. */
  private lineage(id: string | null): (string | null)[] {
    const line: (string | null)[] = [];
    for (let at = id; at !== null && !line.includes(at); at = this.adapters.find((adapter) => adapter.id === at)?.parent ?? null) line.unshift(at);
    return [null, ...line];
  }

  private drawRates(): void {
    const figure = element("rates-figure");
    const judged = this.adapters.filter(({ metrics }) => isNumber(metrics?.heldOutWerAfter) || isNumber(metrics?.anchorWerAfter));
    figure.hidden = judged.length === 0;
    if (figure.hidden) return;

    // Before the first one: what it was compared with.
    const first = judged[0]!.metrics;
    const rows = [
      { name: judged[0]!.parent ?? "base", heldOut: number(first?.heldOutWerBefore), anchor: number(first?.anchorWerBefore), state: "" },
      ...judged.map(({ id, metrics, state }) => ({ name: id, heldOut: number(metrics?.heldOutWerAfter), anchor: number(metrics?.anchorWerAfter), state: state as string })),
    ];
    const last = rows.at(-1)!;
    const chart = drawChart({
      series: [
        { name: "held-out corrections", kind: "first", values: rows.map((row) => row.heldOut) },
        { name: "anchor set", kind: "second", values: rows.map((row) => row.anchor) },
      ],
      labels: rows.map((row) => row.name),
      format: percent,
      width: Math.max(260, figure.clientWidth),
      height: CHART_HEIGHT,
      description: `Word error rate of ${rows.length} versions; the newest has ${last.heldOut === null ? "no figure" : percent(last.heldOut)} on held-out corrections and ${last.anchor === null ? "no figure" : percent(last.anchor)} on the anchor set. The table has every figure.`,
    });
    element("rates-chart").replaceChildren(chart);
    const cell = (value: number | null): HTMLElement => make("td", { class: "figures", text: value === null ? "–" : percent(value) });
    element("rates").replaceChildren(...rows.map((row) => make("tr", {}, make("th", { text: row.name }), make("td", { text: row.state || "before" }), cell(row.heldOut), cell(row.anchor))));
    for (const head of element("rates").querySelectorAll("th")) head.scope = "row";
  }

  private adapterRow(adapter: Adapter): HTMLElement {
    const isActive = adapter.id === this.active;
    const pill = make("span", { class: "pill", text: isActive ? (adapter.state === "provisional" ? "active, on trial" : "active") : adapter.state });
    pill.dataset["state"] = isActive ? "live" : ADAPTER_COLOURS[adapter.state];
    const facts = [
      new Date(adapter.createdAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
      adapter.corrections === 1 ? "1 correction" : `${adapter.corrections} corrections`,
      `from ${adapter.parent ?? "the base model"}`,
      ...adapter.activeFor.filter((scope) => scope !== "all").map((scope) => `active for ${scope}`),
      ...change("held-out", adapter.metrics?.heldOutWerBefore, adapter.metrics?.heldOutWerAfter),
      ...change("anchor", adapter.metrics?.anchorWerBefore, adapter.metrics?.anchorWerAfter),
    ];
    const about = make(
      "div",
      { class: "about" },
      make("div", { class: "name" }, pill, make("code", { text: adapter.id })),
      ...(adapter.reason ? [make("p", { text: adapter.reason })] : []),
      ...(adapter.tainted ? [make("p", { class: "problem", text: adapter.tainted })] : []),
      make("p", { class: "hint", text: facts.join(" · ") }),
    );
    const actions = make("div", { class: "actions" });
    const path = `api/adapters/${encodeURIComponent(adapter.id)}`;
    if (may("admin") && !isActive) {
      actions.append(
        button("Promote", () => this.ask(`Caption with ${adapter.id}?`, `Every session that follows the active adapter is captioned by it from its next utterance on.${adapter.state === "rejected" ? ` It was rejected: ${adapter.reason ?? "no reason is known"}.` : ""}`, "Promote", `${path}/promote`, "POST")),
        button("Delete", () => this.ask(`Delete ${adapter.id}?`, "Its files are gone for good. What learned from it stays.", "Delete", path, "DELETE"), { class: "danger" }),
      );
    }

    for (const action of actions.querySelectorAll("button")) action.setAttribute("aria-label", `${action.textContent} ${adapter.id}`);
    return make("li", {}, about, actions);
  }

  private async rollBack(): Promise<void> {
    const what = `${this.active} is taken back, and what was active before it captions again, from each session's next utterance on.`;
    await this.ask("Roll back?", what, "Roll back", "api/adapters/rollback", "POST");
  }

  private async ask(title: string, what: string, action: string, path: string, method: string): Promise<void> {
    if (!(await confirmed(title, what, action, method === "DELETE"))) return;
    await succeed(path, { method, ...(method === "POST" ? { body: { reason: "by hand, on the page" } } : {}) });
    this.poller.now();
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function number(value: unknown): number | null {
  return isNumber(value) ? value : null;
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(fraction > 0 && fraction < 0.1 ? 1 : 0)} %`;
}

function change(name: string, before: unknown, after: unknown): string[] {
  return isNumber(before) && isNumber(after) ? [`${name} ${percent(before)} → ${percent(after)}`] : [];
}
