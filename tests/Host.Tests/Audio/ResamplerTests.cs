using AsrPlatform.Host.Audio;

namespace AsrPlatform.Host.Tests.Audio;

public sealed class ResamplerTests
{
    public static TheoryData<int> Rates() => [8000, 11025, 12000, 22050, 24000, 32000, 44100, 44101, 48000, 96000];

    [Theory]
    [MemberData(nameof(Rates))]
    public void Read_TonesInThePassBand_KeepLevelPhaseAndPurity(int rate)
    {
        var edge = 0.875 * Math.Min(rate, 16000) / 2;
        foreach (var share in new[] { 0.003, 0.1, 0.31, 0.5, 0.77, 0.93, 1 })
        {
            var hz = edge * share;
            var output = Convert(Tone(hz, rate, rate / 2), rate);
            var (sine, cosine, residual) = Fit(output, hz);
            Assert.InRange(20 * Math.Log10(Math.Sqrt((sine * sine) + (cosine * cosine))), -0.1, 0.1);
            Assert.InRange(Math.Atan2(cosine, sine), -1e-3, 1e-3);

            // What is left besides the tone: images, noise of the tables.
            Assert.InRange(20 * Math.Log10(residual), double.NegativeInfinity, -80);
        }
    }

    [Theory]
    [InlineData(22050)]
    [InlineData(24000)]
    [InlineData(32000)]
    [InlineData(44100)]
    [InlineData(44101)]
    [InlineData(48000)]
    [InlineData(96000)]
    public void Read_TonesAboveTheTargetsNyquist_AreDown80Decibels(int rate)
    {
        foreach (var share in new[] { 0, 0.02, 0.1, 0.27, 0.5, 0.73, 0.98 })
        {
            var hz = 8000 + (share * ((rate / 2) - 8000));
            var output = Convert(Tone(hz, rate, rate / 2), rate);

            // The ends hear the tone begin and stop, which is a sound in every band.
            var middle = output.AsSpan(1000, output.Length - 2000);
            double energy = 0;
            foreach (var sample in middle)
            {
                energy += (double)sample * sample;
            }

            Assert.InRange(10 * Math.Log10((2 * energy / middle.Length) + 1e-20), double.NegativeInfinity, -80);
        }
    }

    [Theory]
    [MemberData(nameof(Rates))]
    public void Write_InPiecesOfAnySize_GivesTheSameSamples(int rate)
    {
        var random = new Random(rate);
        var input = Enumerable.Range(0, 20011).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
        var expected = Convert(input, rate);
        for (var trial = 0; trial < 3; trial++)
        {
            var resampler = new Resampler(rate, 16000);
            var output = new List<float>();
            var buffer = new float[3000];
            for (var at = 0; at < input.Length;)
            {
                var count = Math.Min(input.Length - at, random.Next(4) == 0 ? random.Next(1, 5) : random.Next(1, 6000));
                resampler.Write(input.AsSpan(at, count));
                at += count;
                if (random.Next(2) == 0)
                {
                    Drain(resampler, buffer.AsSpan(0, random.Next(1, buffer.Length)), output);
                }
            }

            resampler.Complete();
            Drain(resampler, buffer, output);
            Assert.Equal(expected, output);
        }
    }

    [Theory]
    [MemberData(nameof(Rates))]
    public void Read_AnyLength_GivesTheStatedNumberOfSamples(int rate)
    {
        foreach (var length in new[] { 0, 1, 2, 3, 100, 441, 1000, 8001 })
        {
            var expected = (int)Math.Ceiling((decimal)length * 16000 / rate);
            Assert.Equal(expected, Convert(new float[length], rate).Length);
            Assert.Equal(expected, Resampler.OutputLength(length, rate, 16000));
        }

        // Ten hours, and what would overflow 64 bits.
        Assert.Equal(576_000_000, Resampler.OutputLength(36000L * rate, rate, 16000));
        Assert.Equal(4_000_000_000_000_000_000, Resampler.OutputLength(8_000_000_000_000_000_000, 32000, 16000));
    }

    [Theory]
    [MemberData(nameof(Rates))]
    public void Read_Constant_StaysConstant(int rate)
    {
        var input = new float[rate / 4];
        Array.Fill(input, 0.25f);
        var output = Convert(input, rate);
        Assert.All(output[500..^500], sample => Assert.Equal(0.25f, sample, 1e-6f));
    }

    [Fact]
    public void Read_LongInput_KeepsItsBufferSmall()
    {
        var resampler = new Resampler(44100, 16000);
        var (input, output) = (new float[4410], new float[1601]);
        long total = 0;
        resampler.Write(input);
        total += resampler.Read(output);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 600; i++)
        {
            resampler.Write(input);
            total += resampler.Read(output);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        Assert.InRange(total, (601 * 1600) - 400, 601 * 1600);
    }

    [Fact]
    public void Write_AfterComplete_IsRefused()
    {
        var resampler = new Resampler(8000, 16000);
        resampler.Complete();
        Assert.Throws<ObjectDisposedException>(() => resampler.Write(new float[1]));
    }

    private static float[] Tone(double hz, int rate, int length) =>
        [.. Enumerable.Range(0, length).Select(n => (float)Math.Sin(2 * Math.PI * hz * n / rate))];

    private static float[] Convert(float[] input, int rate)
    {
        var resampler = new Resampler(rate, 16000);
        resampler.Write(input);
        resampler.Complete();
        var output = new List<float>();
        Drain(resampler, new float[100_000], output);
        return [.. output];
    }

    private static void Drain(Resampler resampler, Span<float> buffer, List<float> output)
    {
        int count;
        while ((count = resampler.Read(buffer)) > 0)
        {
            output.AddRange(buffer[..count]);
        }
    }

    /// <summary>Least-squares amplitude of a tone at 16 kHz, and the largest deviation from it, away from the ends.</summary>
    private static (double Sine, double Cosine, double Residual) Fit(float[] output, double hz)
    {
        const int Edge = 1000;
        double ss = 0, cc = 0, sc = 0, ys = 0, yc = 0;
        for (var n = Edge; n < output.Length - Edge; n++)
        {
            var (s, c) = Math.SinCos(2 * Math.PI * hz * n / 16000);
            ss += s * s;
            cc += c * c;
            sc += s * c;
            ys += output[n] * s;
            yc += output[n] * c;
        }

        var determinant = (ss * cc) - (sc * sc);
        var sine = ((ys * cc) - (yc * sc)) / determinant;
        var cosine = ((yc * ss) - (ys * sc)) / determinant;
        var residual = 0.0;
        for (var n = Edge; n < output.Length - Edge; n++)
        {
            var (s, c) = Math.SinCos(2 * Math.PI * hz * n / 16000);
            residual = Math.Max(residual, Math.Abs(output[n] - (sine * s) - (cosine * c)));
        }

        return (sine, cosine, residual);
    }
}
