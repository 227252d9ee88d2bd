import "./style.css";
import { type HubConnection, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { CaptionsView } from "./captions";
import { type CaptionUpdate, explain, type PluginStatus, type Readiness, type SessionPosition, type StartSessionRequest } from "./protocol";
import { AudioSender } from "./sender";
import { FileSource, MicrophoneSource, SAMPLE_RATE_HZ, type Source } from "./sources";

function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const file = element<HTMLInputElement>("file");
const language = element<HTMLSelectElement>("language");
const play = element<HTMLButtonElement>("play");
const microphone = element<HTMLButtonElement>("microphone");
const stop = element<HTMLButtonElement>("stop");
const progress = element<HTMLProgressElement>("progress");
const message = element("message");
const view = new CaptionsView(element("captions"), element<HTMLOListElement>("lines"), element("tentative"), element("empty"));

function showConnection(state: "idle" | "live" | "waiting" | "broken" | "ended", text: string): void {
  const pill = element("connection");
  pill.dataset["state"] = state;
  pill.textContent = text;
}

function showError(error: unknown): void {
  message.textContent = explain(error);
  message.hidden = false;
}

/** One session of this page: as speaker (with a source) or as viewer. */
class Session {
  private readonly connection: HubConnection;
  private sender: AudioSender | null = null;
  private id = "";
  private lastSequence = 0;
  private sampleRateHz = SAMPLE_RATE_HZ;
  private over = false;
  /** When each chunk was sent: [sample after it, time]. */
  private readonly sent: [number, number][] = [];

  constructor() {
    this.connection = new HubConnectionBuilder()
      .withUrl("hubs/captions")
      .withAutomaticReconnect({ nextRetryDelayInMilliseconds: (retry) => (retry.elapsedMilliseconds > 120_000 ? null : Math.min(5000, 250 * 2 ** retry.previousRetryCount)) })
      .configureLogging(LogLevel.Error)
      .build();
    this.connection.onreconnecting(() => showConnection("waiting", "connection lost, trying again…"));
    this.connection.onreconnected(() => void this.resume().catch(showError));
    this.connection.onclose(() => {
      if (!this.over) showConnection("broken", "disconnected");
    });
  }

  /** Speaks: sends what the source gives until it ends or is stopped, and shows the captions. */
  async speak(source: Source, request: StartSessionRequest): Promise<void> {
    await this.connection.start();
    try {
      const position = await this.connection.invoke<SessionPosition>("StartSession", { ...request, sampleRateHz: SAMPLE_RATE_HZ });
      this.id = position.sessionId;
      showSession(this.id);
      showConnection("live", "live");
      const watched = this.watch();
      const sender = new AudioSender(this.connection, this.id, showAcknowledged, (error) => {
        showError(error);
        source.stop();
      });
      this.sender = sender;
      sender.open(position.acknowledgedSamples);
      await source.start(
        (pcm) => {
          sender.push(pcm);
          this.sent.push([sender.position, performance.now()]);
        },
        (share) => (progress.value = share),
      );
      await source.ended;
      showConnection("live", "finishing…");
      await sender.drained();
      await this.connection.invoke("EndSession", this.id);
      await watched;
    } finally {
      source.stop();
      this.over = true;
      await this.connection.stop();
    }
  }

  /** Watches someone else's session until it is over. */
  async view(id: string): Promise<void> {
    this.id = id;
    showSession(id);
    const session = await fetch(`api/sessions/${encodeURIComponent(id)}`);
    if (!session.ok) throw new Error(`there is no session '${id}'`);
    this.sampleRateHz = ((await session.json()) as { sampleRateHz: number }).sampleRateHz;
    await this.connection.start();
    showConnection("live", "watching");
    try {
      await this.watch();
    } finally {
      this.over = true;
      await this.connection.stop();
    }
  }

  private watched: { resolve: () => void; reject: (error: unknown) => void } | null = null;

  private watch(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.watched = { resolve, reject };
      this.follow();
    });
  }

  private follow(): void {
    this.connection.stream<CaptionUpdate>("WatchCaptions", this.id, this.lastSequence).subscribe({
      next: (update) => {
        this.lastSequence = update.sequence;
        view.show(update, this.sampleRateHz);
        this.showLatency(update);
      },
      complete: () => this.watched?.resolve(),
      error: (error: unknown) => {
        // A dropped connection is not the end: `resume` goes on from the last sequence.
        if (this.connection.state === "Connected" || this.connection.state === "Disconnected") this.watched?.reject(error);
      },
    });
  }

  private async resume(): Promise<void> {
    showConnection("live", this.sender ? "live" : "watching");
    if (this.sender) {
      const position = await this.connection.invoke<SessionPosition>("StartSession", { sessionId: this.id, sampleRateHz: SAMPLE_RATE_HZ });
      this.sender.open(position.acknowledgedSamples);
    }

    this.follow();
  }

  /** Time from the end of an update's last word (of its audio, where there are no words) to now; a viewer cannot know it. */
  private showLatency(update: CaptionUpdate): void {
    if (update.state === "corrected" || this.sent.length === 0) return;
    const end = update.words.length > 0 ? update.words[update.words.length - 1]!.end * SAMPLE_RATE_HZ : update.endSample;
    const before = this.sent.findLastIndex(([sample]) => sample < end);
    const chunk = this.sent[Math.min(before + 1, this.sent.length - 1)]!;
    element(`latency-${update.state}`).textContent = `${((performance.now() - chunk[1]) / 1000).toFixed(1)} s`;
  }
}

function showAcknowledged(samples: number): void {
  element("acknowledged").textContent = `${(samples / SAMPLE_RATE_HZ).toFixed(1)} s received`;
}

function showSession(id: string): void {
  const link = element<HTMLAnchorElement>("session-link");
  link.href = `?session=${encodeURIComponent(id)}`;
  element("session").hidden = false;
  const downloads = ["vtt", "srt", "txt", "json"].map((format) => {
    const download = document.createElement("a");
    download.href = `api/sessions/${encodeURIComponent(id)}/captions.${format}`;
    download.textContent = format;
    return download;
  });
  element("downloads").replaceChildren(...downloads.flatMap((download) => [" · ", download]));
}

let running: Source | null = null;
let ready = false;

async function caption(source: Source, withProgress: boolean): Promise<void> {
  running = source;
  message.hidden = true;
  view.clear("Listening…");
  progress.hidden = !withProgress;
  progress.value = 0;
  refreshButtons();
  showConnection("waiting", "connecting…");
  try {
    const request: StartSessionRequest = language.value ? { language: language.value } : {};
    await new Session().speak(source, request);
    showConnection("ended", "session ended");
  } catch (error) {
    showConnection("broken", "stopped");
    showError(error);
  } finally {
    running = null;
    progress.hidden = true;
    refreshButtons();
  }
}

function refreshButtons(): void {
  play.disabled = !ready || running !== null || !file.files?.length;
  microphone.disabled = !ready || running !== null;
  stop.disabled = running === null;
}

async function showReadiness(): Promise<void> {
  const answer = (await (await fetch("health/ready")).json()) as Readiness;
  element("missing").hidden = answer.status !== 503 || answer.detail === undefined;
  if (answer.status === "ready") {
    ready = true;
    refreshButtons();
    element("model").textContent = `${answer.model} · ${answer.backend}`;
    const codes = answer.languages ?? [];
    const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "code" });
    const options = codes.map((code) => new Option(names.of(code) ?? code, code)).sort((a, b) => a.text.localeCompare(b.text));
    language.append(...options);
    language.disabled = codes.length === 0;
    return;
  }

  element("model").textContent = "no model yet";
  element("missing-reason").textContent = answer.detail ?? "";
  const plugins = (await (await fetch("api/plugins")).json()) as PluginStatus[];
  element("missing-plugins").replaceChildren(
    ...plugins
      .filter((plugin) => plugin.state !== "loaded")
      .map((plugin) => {
        const item = document.createElement("li");
        item.textContent = `Plugin ${plugin.id} is not loaded: ${plugin.reason ?? plugin.state}${plugin.remedy ? ` — ${plugin.remedy}` : ""}`;
        return item;
      }),
  );
  // A model that is being loaded is there in a while.
  window.setTimeout(() => void showReadiness().catch(showError), 3000);
}

file.addEventListener("change", refreshButtons);
play.addEventListener("click", () => {
  const chosen = file.files?.[0];
  if (chosen) void caption(new FileSource(chosen, element<HTMLInputElement>("audible").checked), true);
});
microphone.addEventListener("click", () => void caption(new MicrophoneSource(), false));
stop.addEventListener("click", () => running?.stop());
element("copy").addEventListener("click", () => void navigator.clipboard.writeText(element<HTMLAnchorElement>("session-link").href).catch(showError));

void showReadiness().catch(showError);
const watched = new URLSearchParams(location.search).get("session");
if (watched) {
  element("controls").hidden = true;
  element("latencies").hidden = true;
  view.clear("Watching: captions appear here as they are spoken.");
  showConnection("waiting", "connecting…");
  new Session().view(watched).then(
    () => showConnection("ended", "session ended"),
    (error: unknown) => {
      showConnection("broken", "stopped");
      showError(error);
    },
  );
}
