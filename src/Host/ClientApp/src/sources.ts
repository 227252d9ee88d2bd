import workletUrl from "./pcm-worklet.js?url";

export const SAMPLE_RATE_HZ = 16000;
const CHUNK_SAMPLES = SAMPLE_RATE_HZ / 10;

/** Something that gives mono samples at 16 kHz as time passes. */
export interface Source {
  /** Asks for what is needed (permission, data) before a session is started; its error is for the user. */
  open(): Promise<void>;
  start(push: (pcm: Int16Array) => void): Promise<void>;
  /** Resolves when the source has nothing more; for a microphone when it is stopped. Rejected when it breaks. */
  readonly ended: Promise<void>;
  /** Done, 0 to 1; null where there is no end. */
  readonly progress: number | null;
  stop(): void;
}

/** Audio that is decoded by the browser and played at the pace of time: a file, or one of the page's clips. */
export class ClipSource implements Source {
  readonly ended: Promise<void>;
  progress = 0;
  private finish: () => void = () => {};
  private timer = 0;
  private readonly context = new AudioContext();
  private decoded: AudioBuffer | null = null;

  /**
   * @param name For messages.
   * @param read Gives the file's bytes.
   * @param audible Whether it is heard as well.
   */
  constructor(
    private readonly name: string,
    private readonly read: () => Promise<ArrayBuffer>,
    private readonly audible: boolean,
  ) {
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  async open(): Promise<void> {
    const bytes = await this.read();
    this.decoded = await this.context.decodeAudioData(bytes).catch(() => {
      throw new Error(`${this.name} holds no audio that this browser can read`);
    });
  }

  async start(push: (pcm: Int16Array) => void): Promise<void> {
    const decoded = this.decoded!;
    const pcm = await toPcm(decoded);
    if (this.audible) {
      const player = new AudioBufferSourceNode(this.context, { buffer: decoded });
      player.connect(this.context.destination);
      await this.context.resume();
      player.start();
    }

    const started = performance.now();
    let at = 0;
    this.timer = window.setInterval(() => {
      // A chunk is there when its last sample was heard.
      const heard = ((performance.now() - started) / 1000) * SAMPLE_RATE_HZ;
      while (at < pcm.length && Math.min(at + CHUNK_SAMPLES, pcm.length) <= heard) {
        push(pcm.slice(at, at + CHUNK_SAMPLES));
        at = Math.min(at + CHUNK_SAMPLES, pcm.length);
      }

      this.progress = at / pcm.length;
      if (at >= pcm.length) this.stop();
    }, 20);
  }

  stop(): void {
    window.clearInterval(this.timer);
    if (this.context.state !== "closed") void this.context.close();
    this.finish();
  }
}

/** The microphone, through an audio worklet that resamples. */
export class MicrophoneSource implements Source {
  readonly ended: Promise<void>;
  readonly progress = null;
  private settle: { resolve: () => void; reject: (error: Error) => void } = { resolve: () => {}, reject: () => {} };
  private stream: MediaStream | null = null;
  private context: AudioContext | null = null;

  /** @param deviceId One of `microphones`; empty for the browser's choice. */
  constructor(private readonly deviceId: string) {
    this.ended = new Promise((resolve, reject) => (this.settle = { resolve, reject }));
    this.ended.catch(() => {});
  }

  async open(): Promise<void> {
    const refusal = microphoneRefusal();
    if (refusal) throw new Error(refusal);
    const device = this.deviceId ? { deviceId: { exact: this.deviceId } } : {};
    this.stream = await navigator.mediaDevices
      .getUserMedia({ audio: { ...device, channelCount: 1, echoCancellation: true, noiseSuppression: true } })
      .catch((error: unknown) => {
        throw new Error(microphoneError(error));
      });
    for (const track of this.stream.getTracks()) {
      track.addEventListener("ended", () => this.settle.reject(new Error("the microphone went away: it was unplugged, or its permission was withdrawn")));
    }
  }

  async start(push: (pcm: Int16Array) => void): Promise<void> {
    // At the device's own rate: browsers differ in what they do with a stream of another one.
    const context = (this.context = new AudioContext());
    await context.audioWorklet.addModule(workletUrl);
    const worklet = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    worklet.port.onmessage = (message: MessageEvent<Int16Array>) => push(message.data);
    context.createMediaStreamSource(this.stream!).connect(worklet);
    await context.resume();
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.context && this.context.state !== "closed") void this.context.close();
    this.settle.resolve();
  }
}

/** Why this page can have no microphone, or null. */
export function microphoneRefusal(): string | null {
  if (!window.isSecureContext)
    return "browsers give a page the microphone on https or on localhost only: start the host with --https-cert auto and open the https address, or caption a file";
  return navigator.mediaDevices ? null : "this browser has no microphone to offer: caption a file instead";
}

/** The microphones that can be chosen; they have names only after one was allowed. */
export async function microphones(): Promise<MediaDeviceInfo[]> {
  if (!navigator.mediaDevices) return [];
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === "audioinput" && device.deviceId && device.deviceId !== "default" && device.deviceId !== "communications");
}

/** Loudness of samples on a scale where 0 is −60 dB and 1 is full scale, for a meter. */
export function loudness(pcm: Int16Array): number {
  let sum = 0;
  for (const sample of pcm) sum += (sample / 32768) ** 2;
  const decibels = 10 * Math.log10(sum / Math.max(1, pcm.length) + 1e-12);
  return Math.max(0, Math.min(1, 1 + decibels / 60));
}

function microphoneError(error: unknown): string {
  switch ((error as DOMException).name) {
    case "NotAllowedError":
      return "the microphone was refused: allow it for this page (the sign beside the address), then try again";
    case "NotFoundError":
      return "no microphone was found: plug one in, or caption a file";
    case "OverconstrainedError":
      return "the chosen microphone is gone: choose another one";
    case "NotReadableError":
      return "the microphone cannot be opened: another program may be using it";
    default:
      return `the microphone cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function toPcm(decoded: AudioBuffer): Promise<Int16Array> {
  const length = Math.max(1, Math.ceil(decoded.duration * SAMPLE_RATE_HZ));
  const offline = new OfflineAudioContext(1, length, SAMPLE_RATE_HZ);
  const player = new AudioBufferSourceNode(offline, { buffer: decoded });
  player.connect(offline.destination);
  player.start();
  const samples = (await offline.startRendering()).getChannelData(0);
  return Int16Array.from(samples, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768))));
}
