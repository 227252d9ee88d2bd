import { sessionPath, succeed } from "./api";

/** Bytes of a WAV file before its samples, as the host writes it. */
const HEADER_BYTES = 44;

/** Heard before and after what was asked for, in seconds. */
const MARGIN_SECONDS = 0.15;

/** The longest stretch that is played at once, in seconds. */
const LONGEST_SECONDS = 60;

let context: AudioContext | null = null;
let playing: AudioBufferSourceNode | null = null;
let requests = 0;

/** Plays a stretch of a session's audio, given in its samples; only that stretch is fetched. Resolves when it is over, or something else is played. */
export async function playSession(id: string, sampleRateHz: number, startSample: number, endSample: number): Promise<void> {
  const request = begin();
  const margin = Math.round(MARGIN_SECONDS * sampleRateHz);
  const start = Math.max(0, startSample - margin);
  const end = Math.min(endSample + margin, start + LONGEST_SECONDS * sampleRateHz);
  const answer = await succeed(`${sessionPath(id)}/audio.wav`, { headers: { Range: `bytes=${HEADER_BYTES + 2 * start}-${HEADER_BYTES + 2 * end - 1}` } });
  const bytes = await answer.arrayBuffer();
  if (answer.status !== 206) throw new Error("the host does not give a part of the session's audio");
  const samples = new Int16Array(bytes, 0, bytes.byteLength >> 1);
  if (samples.length === 0 || request !== requests) return;
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: sampleRateHz });
  const channel = buffer.getChannelData(0);
  samples.forEach((sample, index) => (channel[index] = sample / 32768));
  await play(buffer, request);
}

/** Plays a file of the host. Resolves when it is over, or something else is played. */
export async function playFile(path: string): Promise<void> {
  const request = begin();
  const bytes = await (await succeed(path)).arrayBuffer();
  context ??= new AudioContext();
  const buffer = await context.decodeAudioData(bytes);
  if (request === requests) await play(buffer, request);
}

/** Stops what is played. */
export function stopPlaying(): void {
  begin();
}

function begin(): number {
  playing?.stop();
  playing = null;
  return ++requests;
}

async function play(buffer: AudioBuffer, request: number): Promise<void> {
  context ??= new AudioContext();
  await context.resume();
  if (request !== requests) return;
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  playing = source;
  await new Promise<void>((resolve) => {
    source.addEventListener("ended", () => resolve(), { once: true });
    source.start();
  });
  if (playing === source) playing = null;
}
