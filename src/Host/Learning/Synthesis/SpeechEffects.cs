using System.Numerics.Tensors;
using AsrPlatform.Host.Audio;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Kinds of background noise.</summary>
internal enum NoiseKind
{
    /// <summary>The same power at every frequency.</summary>
    White,

    /// <summary>The same power in every octave.</summary>
    Pink,

    /// <summary>Several people speaking at once.</summary>
    Babble,
}

/// <summary>What happens to clean speech on its way to the microphone. All on 16 kHz mono; the same random numbers give the same samples.</summary>
internal static class SpeechEffects
{
    private const int RateHz = AudioFile.TargetRateHz;

    /// <summary>Pink noise needs this many octaves below 8 kHz to reach 30 Hz.</summary>
    private const int PinkRows = 8;

    /// <summary>
    /// A room: the direct sound, then noise that decays by 60 dB in <paramref name="seconds"/> (Polack's model of late reverberation); the
    /// result keeps the speech's length and start.
    /// </summary>
    /// <param name="samples">Speech.</param>
    /// <param name="seconds">RT60.</param>
    /// <param name="random">Makes the room.</param>
    public static float[] Reverberate(float[] samples, double seconds, Random random)
    {
        // The longer a room sounds, the more of what one hears is reverberation: 10 dB less than the direct sound at 0.2 s, as much at 0.8 s.
        var ratio = Math.Pow(10, -Math.Clamp(10 - ((seconds - 0.2) / 0.6 * 10), 0, 14) / 20);
        var length = (int)(seconds * RateHz);
        var early = (int)(0.003 * RateHz);
        var tail = new float[length];
        for (var index = early; index < length; index++)
        {
            tail[index] = (float)(Gaussian(random) * Math.Pow(10, -3.0 * index / length));
        }

        var energy = Math.Sqrt(TensorPrimitives.SumOfSquares<float>(tail));
        TensorPrimitives.Multiply(tail, (float)(ratio / energy), tail);
        tail[0] = 1;
        var result = Convolution.Apply(samples, tail);
        return result;
    }

    /// <summary>The band of a telephone, 300 to 3400 Hz, by Butterworth filters of fourth order.</summary>
    public static void LimitBand(float[] samples)
    {
        foreach (var quality in new[] { 0.5412, 1.3066 })
        {
            Filter(samples, 300, quality, highPass: true);
            Filter(samples, 3400, quality, highPass: false);
        }
    }

    /// <summary>Noise of a kind, with a root mean square of 1.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="length">Samples.</param>
    /// <param name="babble">Utterances that babble is made of; may be empty for others.</param>
    /// <param name="random">Makes the noise.</param>
    public static float[] Noise(NoiseKind kind, int length, IReadOnlyList<float[]> babble, Random random)
    {
        var noise = new float[length];
        switch (kind)
        {
            case NoiseKind.Babble:
                foreach (var voice in babble)
                {
                    var offset = random.Next(voice.Length);
                    for (var index = 0; index < length; index++)
                    {
                        noise[index] += voice[(index + offset) % voice.Length];
                    }
                }

                break;
            case NoiseKind.Pink:
                // Voss and McCartney: rows of noise, each renewed half as often as the one before.
                var rows = new double[PinkRows];
                for (var index = 0; index < length; index++)
                {
                    for (var row = 0; row < PinkRows; row++)
                    {
                        rows[row] = (index & ((1 << row) - 1)) == 0 ? Gaussian(random) : rows[row];
                    }

                    noise[index] = (float)rows.Sum();
                }

                break;
            default:
                for (var index = 0; index < length; index++)
                {
                    noise[index] = (float)Gaussian(random);
                }

                break;
        }

        var level = Level(noise);
        if (level > 0)
        {
            TensorPrimitives.Multiply(noise, 1 / level, noise);
        }

        return noise;
    }

    /// <summary>Adds noise so that the speech is louder by a number of decibels.</summary>
    /// <param name="samples">Changed in place.</param>
    /// <param name="noise">Root mean square 1, as long as the samples.</param>
    /// <param name="decibels">Signal-to-noise ratio over the whole utterance.</param>
    public static void AddNoise(float[] samples, float[] noise, double decibels) =>
        TensorPrimitives.MultiplyAdd(noise, (float)(Level(samples) * Math.Pow(10, -decibels / 20)), samples, samples);

    /// <summary>Brings the highest peak to a level in decibels below full scale; silence stays.</summary>
    public static void SetPeak(float[] samples, double decibels)
    {
        var peak = TensorPrimitives.MaxMagnitude<float>(samples);
        if (peak != 0)
        {
            TensorPrimitives.Multiply(samples, (float)(Math.Pow(10, decibels / 20) / Math.Abs(peak)), samples);
        }
    }

    /// <summary>Root mean square.</summary>
    public static float Level(float[] samples) => samples.Length == 0 ? 0 : (float)Math.Sqrt(TensorPrimitives.SumOfSquares<float>(samples) / samples.Length);

    /// <summary>Box and Muller.</summary>
    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>A second-order section by the bilinear transform (Bristow-Johnson's cookbook).</summary>
    private static void Filter(float[] samples, double hertz, double quality, bool highPass)
    {
        var omega = 2 * Math.PI * hertz / RateHz;
        var alpha = Math.Sin(omega) / (2 * quality);
        var cosine = Math.Cos(omega);
        var scale = 1 + alpha;
        var b1 = (highPass ? -(1 + cosine) : 1 - cosine) / scale;
        var b0 = (highPass ? (1 + cosine) / 2 : (1 - cosine) / 2) / scale;
        var (a1, a2) = (-2 * cosine / scale, (1 - alpha) / scale);
        double x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (var index = 0; index < samples.Length; index++)
        {
            double x = samples[index];
            var y = (b0 * x) + (b1 * x1) + (b0 * x2) - (a1 * y1) - (a2 * y2);
            (x2, x1, y2, y1) = (x1, x, y1, y);
            samples[index] = (float)y;
        }
    }
}
