// Turns the audio device's samples into 16 kHz PCM16 and posts 100 ms at a time. Runs on the audio thread.

const OUTPUT_HZ = 16000;
const CHUNK_SAMPLES = OUTPUT_HZ / 10;

/** Zero crossings of the sinc on each side, and the Kaiser window's shape: aliases are 70 dB down. */
const CROSSINGS = 24;
const KAISER_BETA = 7;
const PASSBAND = 0.94;

/** A streaming resampler: a windowed sinc for each fraction of an input sample at which an output sample can lie. */
export class Resampler {
  constructor(inputHz, outputHz) {
    const divisor = greatestCommonDivisor(inputHz, outputHz);
    this.step = inputHz / divisor;
    this.phases = outputHz / divisor;

    // Cut off below the lower of the two Nyquist frequencies.
    const cutoff = Math.min(1, outputHz / inputHz) * PASSBAND;
    this.half = Math.ceil(CROSSINGS / cutoff);
    this.taps = 2 * this.half;
    this.filters = Array.from({ length: this.phases }, (_, phase) => {
      const filter = new Float32Array(this.taps);
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) {
        const distance = tap - this.half + 1 - phase / this.phases;
        filter[tap] = sinc(distance * cutoff) * kaiser(distance / this.half);
        sum += filter[tap];
      }

      return filter.map((weight) => weight / sum);
    });

    // Half a filter of silence before the first sample: the delay is less than 4 ms.
    this.kept = new Float32Array(this.half - 1);
    this.position = 0;
    this.phase = 0;
  }

  /** The next output samples; what the filter still needs of the input is kept. */
  process(input) {
    if (this.step === this.phases) return input;
    const samples = new Float32Array(this.kept.length + input.length);
    samples.set(this.kept);
    samples.set(input, this.kept.length);
    const output = [];
    while (this.position + this.taps <= samples.length) {
      const filter = this.filters[this.phase];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += filter[tap] * samples[this.position + tap];
      output.push(sum);
      this.phase += this.step;
      this.position += Math.floor(this.phase / this.phases);
      this.phase %= this.phases;
    }

    // The next output may lie beyond what is there.
    const used = Math.min(this.position, samples.length);
    this.kept = samples.slice(used);
    this.position -= used;
    return output;
  }
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x) {
  return Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA);
}

/** The modified Bessel function of order 0, by its series. */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-9 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }

  return sum;
}

function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

if (globalThis.registerProcessor) {
  class PcmProcessor extends AudioWorkletProcessor {
    constructor() {
      super();
      this.resampler = new Resampler(sampleRate, OUTPUT_HZ);
      this.chunk = new Int16Array(CHUNK_SAMPLES);
      this.filled = 0;
    }

    process(inputs) {
      const channel = inputs[0]?.[0];
      if (!channel) return true;
      for (const sample of this.resampler.process(channel)) {
        this.chunk[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
        if (this.filled === this.chunk.length) {
          this.port.postMessage(this.chunk.slice());
          this.filled = 0;
        }
      }

      return true;
    }
  }

  registerProcessor("pcm", PcmProcessor);
}
