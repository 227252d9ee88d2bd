namespace KeypadTones;

/// <summary>
/// Says which key sounds in a block of samples. A key is one tone of a low group and one of a high group (ITU-T Q.23); the power at
/// each of the eight frequencies comes from the Goertzel algorithm, a discrete Fourier transform of one bin.
/// </summary>
internal static class ToneDetector
{
    public const int SampleRateHz = 8000;

    /// <summary>25.6 ms: long enough to tell 697 Hz from 770 Hz, short enough for tones of 40 ms.</summary>
    public const int BlockSamples = 205;

    private const string Keys = "123A456B789C*0#D";

    /// <summary>Mean square below which a block is silence: −60 dB of full scale.</summary>
    private const double SilencePower = 1e-6;

    /// <summary>Share of a block's power that must lie in its two tones; speech and music hardly reach it.</summary>
    private const double MinimumShare = 0.7;

    // The high tone may be 4 dB stronger or 8 dB weaker than the low one (ITU-T Q.24).
    private static readonly double MaximumTwist = Math.Pow(10, 0.4);
    private static readonly double MinimumTwist = Math.Pow(10, -0.8);

    private static readonly double[] Low = [697, 770, 852, 941];
    private static readonly double[] High = [1209, 1336, 1477, 1633];

    /// <summary>The key that sounds, or null.</summary>
    /// <param name="block"><see cref="BlockSamples"/> samples at <see cref="SampleRateHz"/>.</param>
    /// <param name="share">The share of the power that its tones have, 0…1.</param>
    public static char? Detect(ReadOnlySpan<float> block, out double share)
    {
        share = 0;
        double energy = 0;
        foreach (var sample in block)
        {
            energy += sample * (double)sample;
        }

        if (!(energy / block.Length > SilencePower))
        {
            return null;
        }

        var (row, low) = Strongest(block, Low);
        var (column, high) = Strongest(block, High);

        // A sine of amplitude a has the energy n·a²/2 and the Goertzel power (n·a/2)².
        share = Math.Min(1, 2 * (low + high) / (block.Length * energy));
        var twist = high / low;
        return share >= MinimumShare && twist >= MinimumTwist && twist <= MaximumTwist ? Keys[(row * High.Length) + column] : null;
    }

    private static (int Index, double Power) Strongest(ReadOnlySpan<float> block, double[] frequencies)
    {
        var best = (Index: 0, Power: 0.0);
        for (var i = 0; i < frequencies.Length; i++)
        {
            var power = Power(block, frequencies[i]);
            if (power > best.Power)
            {
                best = (i, power);
            }
        }

        return best;
    }

    private static double Power(ReadOnlySpan<float> block, double frequencyHz)
    {
        var coefficient = 2 * Math.Cos(2 * Math.PI * frequencyHz / SampleRateHz);
        double last = 0, beforeLast = 0;
        foreach (var sample in block)
        {
            (last, beforeLast) = (sample + (coefficient * last) - beforeLast, last);
        }

        return (last * last) + (beforeLast * beforeLast) - (coefficient * last * beforeLast);
    }
}
