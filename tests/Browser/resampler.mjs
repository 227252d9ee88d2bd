// Feeds tones to the page's resampler in blocks of 128 samples, as a browser does, and prints how far its output is from the truth:
//   node tests/Browser/resampler.mjs
import { Resampler } from "../../src/Host/ClientApp/src/pcm-worklet.js";

const OUTPUT_HZ = 16000;
const report = [];
for (const inputHz of [8000, 22050, 44100, 48000, 96000]) {
  const wanted = tone(inputHz, 1000);
  const error = rms(wanted.map((sample, index) => sample - Math.sin((2 * Math.PI * 1000 * index) / OUTPUT_HZ)));

  // A tone that 16 kHz cannot hold must vanish; at rates that have none there is nothing to fold.
  const alias = inputHz > 22050 ? rms(tone(inputHz, 10000)) : 0;
  report.push({ inputHz, samples: wanted.length, expectedSamples: OUTPUT_HZ, errorDecibels: decibels(error), aliasDecibels: decibels(alias) });
}

console.log(JSON.stringify(report));

/** A second of a tone, resampled. */
function tone(inputHz, frequencyHz) {
  const resampler = new Resampler(inputHz, OUTPUT_HZ);
  const output = [];
  for (let at = 0; at < inputHz; at += 128) {
    const block = Float32Array.from({ length: Math.min(128, inputHz - at) }, (_, index) => Math.sin((2 * Math.PI * frequencyHz * (at + index)) / inputHz));
    output.push(...resampler.process(block));
  }

  return output;
}

/** Of what lies between the beginning and the end, where the filter has no silence in it. */
function rms(samples) {
  const inner = samples.slice(400, -400);
  return Math.sqrt(inner.reduce((sum, sample) => sum + sample * sample, 0) / inner.length);
}

function decibels(amplitude) {
  return Math.max(-400, 20 * Math.log10(amplitude * Math.SQRT2 || 1e-20));
}
