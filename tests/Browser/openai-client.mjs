// Drives a running host with the real openai package and prints what it got, as JSON:
//   NODE_EXTRA_CA_CERTS=localhost.crt node tests/Browser/openai-client.mjs --url https://localhost:5443 --wav FILE
// The WAV file is 16 kHz PCM16 mono. tests/Host.Tests/Api/OpenAi/OpenAiNpmTests.cs judges the outcome.
import { createReadStream, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import OpenAI, { toFile } from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const { values: options } = parseArgs({ options: { url: { type: "string" }, wav: { type: "string" } } });
const client = new OpenAI({ apiKey: "none", baseURL: new URL("/v1", options.url).href, maxRetries: 0 });
const report = { transcriptions: {} };

for (const format of ["json", "text", "srt", "verbose_json", "vtt"]) {
  report.transcriptions[format] = await client.audio.transcriptions.create({
    file: createReadStream(options.wav),
    model: "whisper-1",
    language: "en",
    response_format: format,
    ...(format === "verbose_json" ? { timestamp_granularities: ["word", "segment"] } : {}),
  });
}

report.logprobs = (
  await client.audio.transcriptions.create({
    file: createReadStream(options.wav),
    model: "gpt-4o-transcribe",
    include: ["logprobs"],
    chunking_strategy: { type: "server_vad", silence_duration_ms: 800 },
  })
).logprobs;
report.translation = (await client.audio.translations.create({ file: createReadStream(options.wav), model: "whisper-1" })).text;

report.stream = [];
for await (const event of await client.audio.transcriptions.create({ file: createReadStream(options.wav), model: "gpt-4o-transcribe", stream: true })) {
  report.stream.push(event);
}

report.models = [];
for await (const model of client.models.list()) report.models.push(model.id);
report.model = await client.models.retrieve(report.models[0]);

report.errors = {};
report.errors.noAudio = await failure(client.audio.transcriptions.create({ file: await toFile(Buffer.from("no audio"), "a.mp3"), model: "whisper-1" }));
report.errors.temperature = await failure(client.audio.transcriptions.create({ file: createReadStream(options.wav), model: "whisper-1", temperature: 3 }));
report.errors.model = await failure(client.models.retrieve("nothing"));

report.realtime = await realtime(readFileSync(options.wav).subarray(44));
console.log(JSON.stringify(report));

async function failure(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, param: error.param, type: error.type };
  }
}

/** Speaks the samples over the Realtime client, with turns by the server; every event but the session's. */
function realtime(pcm) {
  const events = [];
  const connection = new OpenAIRealtimeWS({ model: "gpt-4o-transcribe" }, client);
  return new Promise((resolve, reject) => {
    connection.on("error", (error) => (error.error ? events.push({ type: "error", error: error.error }) : reject(error)));
    connection.on("session.created", () =>
      connection.send({
        type: "session.update",
        session: {
          type: "transcription",
          audio: {
            input: {
              format: { type: "audio/pcm", rate: 16000 },
              transcription: { model: "gpt-4o-transcribe", language: "en" },
              noise_reduction: { type: "near_field" },
              turn_detection: { type: "server_vad", threshold: 0.5, prefix_padding_ms: 300, silence_duration_ms: 500 },
            },
          },
          include: ["item.input_audio_transcription.logprobs"],
        },
      }),
    );
    connection.on("session.updated", () => {
      connection.send({ type: "input_audio_buffer.append", audio: "***" });
      for (let at = 0; at < pcm.length; at += 3200) {
        connection.send({ type: "input_audio_buffer.append", audio: pcm.subarray(at, at + 3200).toString("base64") });
      }

      connection.send({ type: "input_audio_buffer.append", audio: Buffer.alloc(32000).toString("base64") });
    });
    connection.on("event", (event) => {
      if (!event.type.startsWith("session.") && event.type !== "error") events.push(event);
    });
    connection.on("conversation.item.input_audio_transcription.completed", () => {
      connection.close();
      resolve(events);
    });
  });
}
