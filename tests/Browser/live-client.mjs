// Drives a running host with the real @microsoft/signalr client and prints what happened, as JSON:
//   node tests/Browser/live-client.mjs --url http://127.0.0.1:5080 --wav FILE [--drop]
// One connection speaks (a 16 kHz PCM16 WAV at the pace of time), two others watch, the second of them late. --drop cuts the speaker's
// connection at 40 % of the audio and resumes over a new one. tests/Host.Tests/Live/LiveHostTests.cs judges the outcome.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

// The client is the page's: installed by eng/build-client.sh.
const require = createRequire(new URL("../../src/Host/ClientApp/package.json", import.meta.url));
const { HubConnectionBuilder, LogLevel, Subject } = require("@microsoft/signalr");

const { values: options } = parseArgs({ options: { url: { type: "string" }, wav: { type: "string" }, drop: { type: "boolean", default: false } } });
const CHUNK_BYTES = 3200; // 100 ms

const pcm = samplesOf(readFileSync(options.wav));
const totalSamples = pcm.length / 2;
let sentSamples = 0;
let acknowledgedSamples = 0;

let speaker = await connect();
const session = await speaker.invoke("StartSession", {});
const early = watch(await connect(), session.sessionId, 0);
const late = until(() => sentSamples >= totalSamples / 2).then(async () => watch(await connect(), session.sessionId, 0));

let resumedAt = null;
if (options.drop) {
  const cut = CHUNK_BYTES * Math.floor((0.4 * pcm.length) / CHUNK_BYTES);
  await speak(speaker, 0, cut);
  await speaker.stop();
  speaker = await connect();
  const position = await speaker.invoke("StartSession", { sessionId: session.sessionId });
  resumedAt = position.acknowledgedSamples;
  acknowledgedSamples = resumedAt;
  await speak(speaker, resumedAt * 2, pcm.length);
} else {
  await speak(speaker, 0, pcm.length);
}

const end = await speaker.invoke("EndSession", session.sessionId);
const watchers = [await (await early).finished, await (await late).finished];
await speaker.stop();
console.log(JSON.stringify({ sessionId: session.sessionId, start: session, end, totalSamples, acknowledgedSamples, resumedAt, watchers }));

async function connect() {
  const connection = new HubConnectionBuilder().withUrl(new URL("/hubs/captions", options.url).href).configureLogging(LogLevel.Error).build();
  await connection.start();
  return connection;
}

/** Sends bytes from…to at the pace of time; resolves when the host has acknowledged all of them. */
async function speak(connection, from, to) {
  const subject = new Subject();
  const failed = new Promise((_, reject) => {
    connection.stream("StreamAudio", session.sessionId, from / 2, subject).subscribe({
      next: (item) => (acknowledgedSamples = item.acknowledgedSamples),
      complete: () => {},
      // The end of the connection ends the stream; whether everything arrived is asked below.
      error: (error) => (connection.state === "Connected" ? reject(error) : undefined),
    });
  });
  const started = performance.now();
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const chunk = pcm.subarray(at, Math.min(at + CHUNK_BYTES, to));
    await sleep((at + chunk.length - from) / 32 - (performance.now() - started));
    subject.next(chunk.toString("base64"));
    sentSamples = Math.max(sentSamples, (at + chunk.length) / 2);
  }

  // In the end everything must have arrived. When the connection is about to be cut, whatever has; the stream stays open, as it
  // does when a cable is pulled, and the client's own queue is given a moment: what it sends later is an error nobody can catch.
  if (to < pcm.length) return sleep(50);
  await Promise.race([until(() => acknowledgedSamples === totalSamples), failed]);
  subject.complete();
}

/** Watches to the end: every update, with what had been sent when it came. */
async function watch(connection, sessionId, afterSequence) {
  const updates = [];
  const finished = new Promise((resolve, reject) => {
    connection.stream("WatchCaptions", sessionId, afterSequence).subscribe({
      next: (update) => updates.push({ sentSamples, update }),
      complete: () => resolve(updates),
      error: reject,
    });
  }).finally(() => connection.stop());
  return { finished };
}

async function until(condition) {
  while (!condition()) await sleep(10);
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

/** The samples of a plain WAV file. */
function samplesOf(file) {
  for (let at = 12; at + 8 <= file.length; at += 8 + file.readUInt32LE(at + 4) + (file.readUInt32LE(at + 4) % 2)) {
    if (file.toString("latin1", at, at + 4) === "data") return file.subarray(at + 8, at + 8 + file.readUInt32LE(at + 4));
  }

  throw new Error("no data in the WAV file");
}
