import workletUrl from "./pcm-worklet.js?url";

export const SAMPLE_RATE_HZ = 16000;
const CHUNK_SAMPLES = SAMPLE_RATE_HZ / 10;

/** Something that gives mono samples at 16 kHz as time passes. */
export interface Source {
  start(push: (pcm: Int16Array) => void, onProgress: (share: number) => void): Promise<void>;
  /** Resolves when the source has nothing more; never for a microphone, until it is stopped. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** A file, decoded by the browser and played at the pace of time. */
export class FileSource implements Source {
  readonly ended: Promise<void>;
  private finish: () => void = () => {};
  private timer = 0;
  private context: AudioContext | null = null;

  constructor(
    private readonly file: File,
    private readonly audible: boolean,
  ) {
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  async start(push: (pcm: Int16Array) => void, onProgress: (share: number) => void): Promise<void> {
    const context = (this.context = new AudioContext());
    const decoded = await context.decodeAudioData(await this.file.arrayBuffer()).catch(() => {
      throw new Error(`${this.file.name} holds no audio that this browser can read`);
    });
    const pcm = await toPcm(decoded);
    if (this.audible) {
      const player = new AudioBufferSourceNode(context, { buffer: decoded });
      player.connect(context.destination);
      await context.resume();
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

      onProgress(at / pcm.length);
      if (at >= pcm.length) this.stop();
    }, 20);
  }

  stop(): void {
    window.clearInterval(this.timer);
    void this.context?.close().catch(() => {});
    this.finish();
  }
}

/** The microphone, through an audio worklet. */
export class MicrophoneSource implements Source {
  readonly ended: Promise<void>;
  private finish: () => void = () => {};
  private stream: MediaStream | null = null;
  private context: AudioContext | null = null;

  constructor() {
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  async start(push: (pcm: Int16Array) => void): Promise<void> {
    if (!navigator.mediaDevices) throw new Error("the microphone needs a secure page: open it by https, or on localhost");
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } });
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ });
    await this.context.audioWorklet.addModule(workletUrl);
    const worklet = new AudioWorkletNode(this.context, "pcm", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    worklet.port.onmessage = (message: MessageEvent<Int16Array>) => push(message.data);
    this.context.createMediaStreamSource(this.stream).connect(worklet);
    await this.context.resume();
  }

  stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    void this.context?.close().catch(() => {});
    this.finish();
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
