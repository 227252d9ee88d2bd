import "./style.css";
import { explain, EXPORT_FORMATS, getJson, key, may, noteRole, saveCaptions, type SessionDescription, sessionPath, succeed, takeKeyFromAddress, ApiError } from "./api";
import { CaptionsView } from "./captions";
import { CorrectionsView } from "./corrections";
import { button, clock, element, onClick } from "./dom";
import { Editor } from "./editor";
import { listen } from "./events";
import { LearningView } from "./learning";
import { Lesson } from "./lesson";
import { stopPlaying } from "./player";
import { bindPreferences, remembered } from "./preferences";
import type { AdapterPromoted, CaptionUpdate, StartSessionRequest } from "./protocol";
import { LESSON, SAMPLES } from "./samples";
import { Scroller } from "./scroller";
import { type LinkState, LiveSession } from "./session";
import { SessionsView } from "./sessions";
import { ClipSource, loudness, microphoneRefusal, microphones, MicrophoneSource, SAMPLE_RATE_HZ, type Source } from "./sources";
import { Suggestions } from "./suggestions";
import { askReadiness, isDemo, showSystem } from "./system";

/** The session that this tab speaks in: a reload finds it again. */
const SPEAKING = "asr.speaking";
const HUB = "hubs/captions";

/** A host that is later than this is said to be. */
const SHOWN_LAG_SECONDS = 2;

const stage = element("stage");
const lines = element<HTMLOListElement>("lines");
const start = element<HTMLButtonElement>("start");
const stop = element<HTMLButtonElement>("stop");
const language = element<HTMLSelectElement>("language");
const task = element<HTMLSelectElement>("task");
const device = element<HTMLSelectElement>("device");
const file = element<HTMLInputElement>("file");
const sample = element<HTMLSelectElement>("sample");
const scroller = new Scroller();

let live: LiveSession | null = null;
let running: Source | null = null;
let isReady = false;

const view = new CaptionsView(lines, {
  hasTimes: true,
  showsTentative: true,
  keepParagraphs: 0,
  onEdit: (utterance, at) => (may("corrector") ? editor.open(utterance, at) : toast("Your key may watch, not correct")),
  onChange: () => {
    element("empty").hidden = !view.isEmpty;
    scroller.changed();
    suggestions.changed();
  },
});

const suggestions = new Suggestions(view, () => live?.sessionId ?? "", (utterance, at) => editor.open(utterance, at));
const editor = new Editor(view, {
  send: submitCorrection,
  audible: () => (live?.sessionId && may("corrector") ? { sessionId: live.sessionId, sampleRateHz: view.sampleRateHz } : null),
  isListening: () => running !== null,
  doubts: () => suggestions.doubts,
  moved: () => scroller.changed(),
});

scroller.isHeld = () => editor.isOpen;

async function submitCorrection(seen: CaptionUpdate, text: string, author: string): Promise<void> {
  if (!live) throw new Error("the session is not open any more: reload the page");
  view.show(await live.correct({ segmentId: seen.segmentId, sequence: seen.sequence, text, ...(author ? { author } : {}) }));
  lesson.correctedOne(`${live.sessionId}/${view.utterance(seen.segmentId)?.updates[0]?.segmentId ?? seen.segmentId}`);
  suggestions.corrected();
  toast("Corrected for every viewer");
}

// ---- what is said about the state

function showState(state: LinkState, reason?: string): void {
  const texts: Record<LinkState, string> = {
    connecting: "connecting…",
    live: running ? "live" : "watching",
    lost: "reconnecting…",
    finishing: "finishing…",
    ended: "session ended",
    failed: "stopped",
  };
  const colours: Record<LinkState, string> = { connecting: "waiting", live: "live", lost: "waiting", finishing: "live", ended: "ended", failed: "broken" };
  const pill = element("connection");
  pill.dataset["state"] = colours[state];
  pill.textContent = texts[state];
  pill.title = reason ?? "";
  document.title = state === "live" ? "● Live captions" : "Live captions";
}

function showError(error: unknown): void {
  const message = element("message");
  message.textContent = sentence(explain(error));
  message.hidden = false;
}

/** With a capital and a full stop. */
function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

let toastTimer = 0;

function toast(text: string): void {
  element("toast").textContent = text;
  window.clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => (element("toast").textContent = ""), 3000);
}

// ---- speaking and watching

/** When each chunk was handed over: [sample after it, time]. */
let handedOver: [number, number][] = [];

function newSession(id: string): LiveSession {
  return new LiveSession(HUB, id, true, {
    state: showState,
    update: (update) => {
      view.show(update);
      showLatency(update);
      if (update.state === "corrected") suggestions.corrected();
    },
    restarted: () => view.clear(),
    acknowledged: (samples, lagSeconds) => {
      element("acknowledged").textContent = clock(samples / SAMPLE_RATE_HZ);
      element("lag").hidden = lagSeconds < SHOWN_LAG_SECONDS;
      element("lag-figure").textContent = `${Math.round(lagSeconds)} s`;
    },
    pushed: (pcm, position) => {
      handedOver.push([position, performance.now()]);
      if (handedOver.length > 2000) handedOver = handedOver.slice(-1000);
      showLevel(loudness(pcm));
      element("running-time").textContent = clock(position / SAMPLE_RATE_HZ);
      element<HTMLProgressElement>("progress").value = running?.progress ?? 0;
    },
  });
}

async function speak(): Promise<void> {
  element("message").hidden = true;
  element("running-time").textContent = clock(0);
  element<HTMLProgressElement>("progress").value = 0;
  for (const figure of ["latency-tentative", "latency-committed"]) element(figure).textContent = "–";
  const source = chosenSource();
  let isBegun = false;
  running = source;
  stopPlaying();
  refreshControls();
  try {
    await source.open();
    isBegun = true;
    void listDevices();
    if (!resumable) {
      await live?.close();
      view.clear();
      live = newSession("");
    }

    handedOver = [];
    keepAwake();
    const request: StartSessionRequest = { ...(language.value ? { language: language.value } : {}), ...(task.value === "translate" ? { task: "translate" } : {}) };
    const session = live!;
    element("figures").hidden = false;
    await session.speak(source, request, (id) => {
      sessionStorage.setItem(SPEAKING, id);
      history.replaceState(null, "", `?session=${encodeURIComponent(id)}${location.hash}`);
      showShare();
    });
  } catch (error) {
    showError(error);
  } finally {
    source.stop();
    running = null;
    if (isBegun) {
      resumable = false;
      sessionStorage.removeItem(SPEAKING);
    }

    showLevel(0);
    refreshControls();
    if (kind() === "sample") {
      const clip = Number(sample.value);
      if (clip === LESSON.lessonClip) lesson.did("play");
      else if (clip === LESSON.examClip) lesson.did("check");
    }
  }
}

/** A session of this tab that a reload interrupted: what is started next goes on with it. */
let resumable = false;

async function watch(id: string): Promise<void> {
  element("speak").hidden = true;
  element("empty").textContent = "Captions appear here as they are spoken.";
  const description = await getJson<SessionDescription>(sessionPath(id)).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    sessionStorage.removeItem(SPEAKING);
    throw new Error(`there is no session “${id}”: it was deleted, or its host has forgotten it`);
  });
  view.sampleRateHz = description.sampleRateHz;
  resumable = sessionStorage.getItem(SPEAKING) === id && description.state === "active";
  if (!resumable) sessionStorage.removeItem(SPEAKING);
  live = newSession(id);
  showShare();
  keepAwake();
  refreshControls();
  live.finished.catch((error: unknown) => {
    if (!running) showError(error);
  });
  await live.finished.catch(() => {});
  if (resumable && !running) {
    resumable = false;
    refreshControls();
  }
}

/** Time from the end of an update's last word (of its audio, where there are no words) to now; a viewer cannot know it. */
function showLatency(update: CaptionUpdate): void {
  if (update.state === "corrected" || handedOver.length === 0) return;
  const end = update.words.length > 0 ? update.words.at(-1)!.end * SAMPLE_RATE_HZ : update.endSample;
  if (end <= handedOver[0]![0] - SAMPLE_RATE_HZ) return;
  const chunk = handedOver.find(([sample]) => sample >= end) ?? handedOver.at(-1)!;
  element(`latency-${update.state}`).textContent = `${((performance.now() - chunk[1]) / 1000).toFixed(1)} s`;
}

function showLevel(level: number): void {
  const meter = element("level");
  meter.style.setProperty("--level", level.toFixed(3));
  meter.setAttribute("aria-valuenow", String(Math.round(100 * level)));
}

let wakeLock: WakeLockSentinel | null = null;

/** A phone's screen stays on while captions come; where that is not to be had it does not matter. */
function keepAwake(): void {
  if (wakeLock && !wakeLock.released) return;
  navigator.wakeLock?.request("screen").then((lock) => (wakeLock = lock), () => {});
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && wakeLock?.released && live) keepAwake();
});

// ---- the form

function kind(): string {
  return document.querySelector<HTMLInputElement>('input[name="source"]:checked')!.value;
}

function chosenSource(): Source {
  const audible = element<HTMLInputElement>("audible").checked;
  switch (kind()) {
    case "microphone":
      remembered.set("device", device.value);
      return new MicrophoneSource(device.value);
    case "file": {
      const chosen = file.files![0]!;
      return new ClipSource(chosen.name, () => bytesOf(chosen), audible);
    }
    default: {
      const clip = SAMPLES[Number(sample.value)]!;
      return new ClipSource(clip.name, async () => (await succeed(clip.url)).arrayBuffer(), audible);
    }
  }
}

function bytesOf(chosen: File): Promise<ArrayBuffer> {
  return chosen.arrayBuffer().catch(() => {
    throw new Error(`${chosen.name} cannot be read: it was moved, changed or is not yours to read; choose it again`);
  });
}

function refreshControls(): void {
  const source = kind();
  for (const field of document.querySelectorAll<HTMLElement>("[data-for]")) field.hidden = !field.dataset["for"]!.split(" ").includes(source);
  const refusal = source === "microphone" ? microphoneRefusal() : null;
  const refusalText = element("microphone-refusal");
  refusalText.hidden = refusal === null;
  refusalText.textContent = refusal ? `No microphone here: ${refusal}.` : "";
  start.disabled = !isReady || running !== null || refusal !== null || (source === "file" && !file.files?.length);
  start.textContent = resumable ? "Go on with this session" : "Start captions";
  element("speak-title").textContent = resumable ? "Your session is still open" : "What shall be captioned?";
  element("end-own").hidden = !resumable;
  if (resumable) element("speak").hidden = false;
  element("language-field").hidden = language.options.length < 3 || resumable;
  element("task-field").hidden = language.options.length < 3 || resumable;

  const isRunning = running !== null;
  element("speak").classList.toggle("is-running", isRunning);
  element("controls").hidden = isRunning;
  element("speak-title").hidden = isRunning;
  element("running").hidden = !isRunning;
  element("progress").hidden = !isRunning || running?.progress === null;
  element("running-what").textContent = source === "microphone" ? "Microphone" : source === "file" ? (file.files?.[0]?.name ?? "") : (SAMPLES[Number(sample.value)]?.name ?? "");
  stop.disabled = false;
}

async function listDevices(): Promise<void> {
  const chosen = device.value || remembered.get("device") || "";
  const found = await microphones().catch(() => []);
  device.replaceChildren(new Option("the browser’s choice", ""), ...found.map((one, index) => new Option(one.label || `microphone ${index + 1}`, one.deviceId)));
  device.value = chosen;
  if (device.selectedIndex < 0) device.value = "";
}

function showShare(): void {
  element("share").hidden = !live?.sessionId;
}

function addressOf(path: string): string {
  return new URL(path, document.baseURI).href;
}

async function copy(text: string, done: string): Promise<void> {
  // The clipboard is there on secure pages alone.
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    toast(done);
  } else {
    window.prompt("Copy this link:", text);
  }
}

// ---- readiness

async function showReadiness(): Promise<void> {
  const answer = await askReadiness();
  isReady = answer.status === "ready";
  element("missing").hidden = isReady;
  if (isReady) {
    noteRole(answer.role);
    lesson.offer(isDemo(answer) && may("admin") && !element("speak").hidden);
    listenToHost();
    element("demo").hidden = !isDemo(answer) || sessionStorage.getItem("asr.demo-seen") !== null || element("speak").hidden;
    const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
    const codes = answer.languages ?? [];
    language.append(...codes.map((code) => new Option(names.of(code) ?? code, code)).sort((a, b) => a.text.localeCompare(b.text)));
    language.value = remembered.get("language") ?? "";
    if (language.selectedIndex < 0) language.value = "";
    refreshControls();
    return;
  }

  element("missing-reason").textContent = answer.detail ?? "The host does not say why.";

  // A model that is being loaded is there in a while.
  window.setTimeout(() => void showReadiness().catch(retryReadiness), 2000);
}

function retryReadiness(error: unknown): void {
  element("missing").hidden = false;
  if (error instanceof ApiError && error.status === 401) {
    // Who gives no key is not asked again and again.
    element("missing-reason").textContent = "This host wants an API key: reload the page to give one.";
    return;
  }

  element("missing-reason").textContent = explain(error);
  window.setTimeout(() => void showReadiness().catch(retryReadiness), 2000);
}

// ---- views

const sessionsView = new SessionsView(showError);
const correctionsView = new CorrectionsView(showError);
const learningView = new LearningView(showError);
const VIEWS = ["captions", "sessions", "corrections", "learning", "system"];

function showView(): void {
  const asked = location.hash.slice(1).split("?")[0]!;
  const name = VIEWS.includes(asked) ? asked : "captions";
  for (const candidate of VIEWS) element(`${candidate}-view`).hidden = candidate !== name;
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a")) {
    if (link.dataset["view"] === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  element("message").hidden = true;
  for (const [candidate, shown] of Object.entries({ sessions: sessionsView, corrections: correctionsView, learning: learningView })) {
    if (candidate === name) shown.show();
    else shown.hide();
  }

  if (name === "system") showSystem().catch(showError);
  if (name === "captions") scroller.changed();
}

// ---- what the host tells

let isListening = false;

function listenToHost(): void {
  if (isListening) return;
  isListening = true;
  listen(HUB, {
    opened: () => learningView.changed(),
    TrainingProgress: (job) => {
      learningView.progressed(job);
      if (job.state === "done" || job.state === "failed") correctionsView.changed();
    },
    AdapterPromoted: showPromoted,
  });
}

function showPromoted(promoted: AdapterPromoted): void {
  const who = promoted.scope === "" || promoted.scope === "all" ? "Captions are" : `Captions of ${promoted.scope} are`;
  element("promoted-text").textContent = `${who} now made by ${promoted.adapter ?? "the base model"}${promoted.provisional ? " (on trial)" : ""}, from the next utterance on. ${sentence(promoted.reason)}`;
  element("promoted").hidden = false;
  if (promoted.adapter !== null) lesson.did("learn");
  learningView.changed();
  correctionsView.changed();
}

element("promoted-close").addEventListener("click", () => (element("promoted").hidden = true));

const lesson = new Lesson((clip) => {
  document.querySelector<HTMLInputElement>('input[name="source"][value="sample"]')!.checked = true;
  sample.value = String(clip === "lesson" ? LESSON.lessonClip : LESSON.examClip);
  refreshControls();
  if (!start.disabled) void speak();
});

/** One menu is open at a time; a click elsewhere and Escape close it. */
function bindMenus(): void {
  const closeOthers = (kept: Element | null): void => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) if (menu !== kept) menu.open = false;
  };
  document.addEventListener("click", (event) => closeOthers((event.target as Element).closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    const menu = (event.target as Element).closest?.<HTMLDetailsElement>("details.menu[open]");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary")!.focus();
  });
}

takeKeyFromAddress();
bindPreferences(() => scroller.changed());
bindMenus();
sample.append(...SAMPLES.map(({ name }, index) => new Option(name, String(index))));
element("exports").append(...EXPORT_FORMATS.map((format) => button(format.toUpperCase(), () => saveCaptions(live!.sessionId, format))));

document.addEventListener("failed", (event) => showError((event as CustomEvent).detail));
for (const input of document.querySelectorAll<HTMLInputElement>('input[name="source"]')) {
  input.addEventListener("change", () => {
    refreshControls();
    if (input.value === "microphone") void listDevices();
  });
}

file.addEventListener("change", refreshControls);
language.addEventListener("change", () => remembered.set("language", language.value));
element<HTMLFormElement>("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!start.disabled) void speak();
});
stop.addEventListener("click", () => {
  stop.disabled = true;
  running?.stop();
});
onClick(element<HTMLButtonElement>("end-own"), async () => {
  await live?.end();
});
onClick(element<HTMLButtonElement>("copy-link"), () => copy(addressOf(`?session=${encodeURIComponent(live!.sessionId)}`), "Link copied"));
onClick(element<HTMLButtonElement>("copy-overlay"), () =>
  copy(addressOf(`overlay/${encodeURIComponent(live!.sessionId)}?lines=2&size=48&fade=10`) + (key() ? "#key=YOUR-KEY" : ""), "Overlay link copied"),
);
element("demo-close").addEventListener("click", () => {
  sessionStorage.setItem("asr.demo-seen", "yes");
  element("demo").hidden = true;
});
if (document.fullscreenEnabled) {
  onClick(element<HTMLButtonElement>("full"), async () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()));
  document.addEventListener("fullscreenchange", () => (element("full").textContent = document.fullscreenElement ? "Leave full screen" : "Full screen"));
} else {
  element("full").hidden = true;
}

navigator.mediaDevices?.addEventListener("devicechange", () => void listDevices());
window.addEventListener("hashchange", showView);
showView();
refreshControls();

const watched = new URLSearchParams(location.search).get("session");
if (watched) {
  watch(watched).catch((error: unknown) => {
    showState("failed");
    showError(error);
  });
}

showReadiness().catch(retryReadiness);
