using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Synthesis;

namespace AsrPlatform.Host.Tests.Learning.Synthesis;

public sealed class SpeechEffectsTests
{
    private const int RateHz = 16000;

    [Theory]
    [InlineData(100, -12, -100)]
    [InlineData(1000, 0.2, -0.2)]
    [InlineData(2500, 0.5, -1.5)]
    [InlineData(6000, -20, -100)]
    public void LimitBand_Tone_PassesInATelephonesBandAlone(double hertz, double highest, double lowest)
    {
        var tone = Tone(hertz, RateHz);
        var before = SpeechEffects.Level(tone[4000..]);
        SpeechEffects.LimitBand(tone);
        Assert.InRange(20 * Math.Log10(SpeechEffects.Level(tone[4000..]) / before), lowest, highest);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void AddNoise_AnyKind_HasTheRatioAskedFor(int kind)
    {
        var clean = Tone(440, RateHz);
        var noisy = (float[])clean.Clone();
        SpeechEffects.AddNoise(noisy, SpeechEffects.Noise((NoiseKind)kind, clean.Length, [Tone(200, 5000), Tone(311, 7000)], new Random(1)), 12);
        var added = noisy.Zip(clean, (first, second) => first - second).ToArray();
        Assert.Equal(12, 20 * Math.Log10(SpeechEffects.Level(clean) / SpeechEffects.Level(added)), 0.01);
    }

    [Fact]
    public void Noise_Pink_FallsByThreeDecibelsAnOctave()
    {
        // Half of the power of neighbouring differences lies high up: white noise's differences are √2 as loud as it, pink noise's much less.
        var (white, pink) = (SpeechEffects.Noise(NoiseKind.White, RateHz, [], new Random(1)), SpeechEffects.Noise(NoiseKind.Pink, RateHz, [], new Random(1)));
        Assert.Equal(Math.Sqrt(2), Differences(white), 0.05);
        Assert.InRange(Differences(pink), 0.5, 0.9);
    }

    [Fact]
    public void Reverberate_Click_DecaysInTheTimeGiven()
    {
        var click = new float[RateHz];
        click[1000] = 1;
        var heard = SpeechEffects.Reverberate(click, 0.5, new Random(1));
        Assert.Equal(click.Length, heard.Length);
        Assert.All(heard[..1000], sample => Assert.Equal(0, sample, 1e-6f));
        Assert.Equal(1, heard[1000], 1e-6f);

        // 60 dB in 0.5 s: 24 dB from the second to the fourth tenth.
        double Decibels(double from) => 20 * Math.Log10(SpeechEffects.Level(heard[(1000 + (int)(from * RateHz))..(1000 + (int)((from + 0.1) * RateHz))]));
        Assert.Equal(24, Decibels(0.1) - Decibels(0.3), 1.5);
        Assert.All(heard[(1000 + (RateHz / 2))..], sample => Assert.Equal(0, sample, 1e-6f));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(300, 1000)]
    [InlineData(1000, 37)]
    public void Convolution_AnyLengths_IsTheSumOfItsTaps(int length, int taps)
    {
        var random = new Random(length);
        float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 2) - 1)];
        var (signal, response) = (Draw(length), Draw(taps));
        var result = Convolution.Apply(signal, response);
        Assert.Equal(length, result.Length);
        for (var i = 0; i < length; i++)
        {
            var sum = 0.0;
            for (var tap = 0; tap < taps && tap <= i; tap++)
            {
                sum += (double)response[tap] * signal[i - tap];
            }

            Assert.Equal(sum, result[i], 1e-5);
        }
    }

    [Fact]
    public void SetPeak_Speech_HasThatPeak()
    {
        var tone = Tone(440, 1000);
        SpeechEffects.SetPeak(tone, -6);
        Assert.Equal(Math.Pow(10, -0.3), tone.Max(Math.Abs), 1e-5);
        var silence = new float[10];
        SpeechEffects.SetPeak(silence, -6);
        Assert.All(silence, sample => Assert.Equal(0, sample));
    }

    [Theory]
    [InlineData("1,1.5", new[] { 1.0, 1.5 })]
    [InlineData("1..1.02", new[] { 1.0, 1.01, 1.02 })]
    public void Spread_Draws_FromListsAndRanges(string text, double[] expected)
    {
        var spread = Spread.Parse(text, "--x", 0, 2);
        var random = new Random(1);
        Assert.Equal(expected, Enumerable.Range(0, 200).Select(_ => spread.Draw(random)).Distinct().Order());
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("3")]
    [InlineData("2..1")]
    [InlineData("1..1.5..2")]
    [InlineData("NaN")]
    public void Spread_Wrong_SaysTheForm(string text) =>
        Assert.StartsWith("--x", Assert.Throws<AsrException>(() => Spread.Parse(text, "--x", 0, 2)).Message, StringComparison.Ordinal);

    private static double Differences(float[] noise) => SpeechEffects.Level([.. noise.Skip(1).Zip(noise, (next, sample) => next - sample)]);

    private static float[] Tone(double hertz, int length) => [.. Enumerable.Range(0, length).Select(index => (float)Math.Sin(2 * Math.PI * hertz * index / RateHz) / 2)];
}
