using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Tests.Features;

public sealed class LogMelExtractorTests
{
    private const int Window = 480000;

    /// <summary>Hugging Face's own float32 is up to 3.8e-5 from float64.</summary>
    private const double Tolerance = 5e-5;

    public static TheoryData<string, int> Signals()
    {
        var data = new TheoryData<string, int>();
        foreach (var mels in new[] { 80, 128 })
        {
            foreach (var signal in new[] { "jfk", "fox", "tone_1k", "chirp", "noise_1s", "silence_1s", "one_sample", "samples_399", "samples_401", "clipped" })
            {
                data.Add(signal, mels);
            }
        }

        return data;
    }

    [Theory]
    [InlineData(80)]
    [InlineData(128)]
    public void MelFilterBank_Fixture_IsEqual(int mels)
    {
        var expected = NpyArray.Read(Fixtures.Path($"features/mel_filters_{mels}.npy")); // [frequency, mel]
        var bank = new MelFilterBank(mels);
        for (var bin = 0; bin < mels; bin++)
        {
            var weights = bank.Filter(bin, out var start);
            for (var k = 0; k < 201; k++)
            {
                var found = k >= start && k < start + weights.Length ? weights[k - start] : 0;
                Assert.Equal(expected.Values[(k * mels) + bin], found, 1e-14);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Signals))]
    public void Extract_PaddedToThirtySeconds_EqualsHuggingFace(string signal, int mels)
    {
        var entry = JsonNode.Parse(File.ReadAllText(Fixtures.Path("features/table.json")))!.AsArray()
            .Single(node => (string)node!["signal"]! == signal && (int)node["mels"]! == mels)!;
        var expected = NpyArray.Read(Fixtures.Path($"features/{signal}_{mels}.npy"));
        var found = new LogMelExtractor(mels).Extract(Samples(signal), Window);

        Assert.Equal(mels, found.FeatureSize);
        Assert.Equal(3000, found.Frames);
        Assert.Equal((int)entry["mask_sum"]!, found.ValidFrames);
        var stored = (int)entry["frames_stored"]!;
        AssertClose(expected, [mels, stored], found, 0);
        for (var bin = 0; bin < mels; bin++)
        {
            for (var frame = stored; frame < 3000; frame++)
            {
                Assert.Equal((double)entry["padding_value"]!, found.Values[(bin * 3000) + frame], Tolerance);
            }
        }

        Assert.Equal((double)entry["mean"]!, found.Values.Average(value => (double)value), Tolerance);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(128)]
    public void Extract_LongerThanThirtySeconds_IsNotCut(int mels)
    {
        var jfk = Samples("jfk");
        float[] samples = [.. jfk, .. jfk, .. jfk];
        var found = new LogMelExtractor(mels).Extract(samples.AsSpan(0, 33 * 16000));
        Assert.Equal(3300, found.Frames);
        Assert.Equal(3300, found.ValidFrames);
        AssertClose(NpyArray.Read(Fixtures.Path($"features/long_33s_tail_{mels}.npy")), [mels, 200], found, 3100);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(128)]
    public void Extract_Normalized_EqualsHuggingFace(int mels)
    {
        var found = new LogMelExtractor(mels, normalize: true).Extract(Samples("fox"), Window);
        AssertClose(NpyArray.Read(Fixtures.Path($"features/fox_do_normalize_{mels}.npy")), [mels, 300], found, 0);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(128)]
    public void ExtractBatch_DifferentLengths_EqualsHuggingFacePaddedToTheLongest(int mels)
    {
        var expected = NpyArray.Read(Fixtures.Path($"features/batch_longest_{mels}.npy"));
        var found = new LogMelExtractor(mels).ExtractBatch([Samples("fox"), Samples("noise_1s")]);
        Assert.Equal(new[] { 2, mels, 343 }, expected.Shape);
        for (var row = 0; row < 2; row++)
        {
            var values = expected.Values.AsSpan(row * mels * 343, mels * 343).ToArray();
            AssertClose(new NpyArray([mels, 343], values), [mels, 343], found[row], 0);
        }

        Assert.Equal([343, 100], found.Select(matrix => matrix.ValidFrames));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(159)]
    [InlineData(160)]
    [InlineData(161)]
    [InlineData(199)]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(320)]
    [InlineData(399)]
    [InlineData(1000)]
    public void Extract_AnyLengthAndPadding_EqualsADirectTransform(int length)
    {
        var random = new Random(length);
        var samples = Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
        var extractor = new LogMelExtractor(80);
        foreach (var padding in new[] { 0, 1, 160, 199, 200, 201, 700 })
        {
            var expected = Direct(samples, length + padding, 80);
            var found = extractor.Extract(samples, length + padding);
            Assert.Equal((length + padding) / 160, found.Frames);
            Assert.Equal(expected.Length, found.Values.Length);
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.Equal(expected[i], found.Values[i], 2e-6);
            }
        }
    }

    [Fact]
    public void Extract_LongerThanThePadding_IsCutThere()
    {
        var samples = Samples("noise_1s");
        var extractor = new LogMelExtractor(80);
        Assert.Equal(extractor.Extract(samples.AsSpan(0, 8000)).Values, extractor.Extract(samples, 8000).Values);
    }

    [Fact]
    public async Task Extract_ConcurrentCalls_GiveTheSame()
    {
        var extractor = new LogMelExtractor(80);
        var (fox, noise) = (Samples("fox"), Samples("noise_1s"));
        var expected = (extractor.Extract(fox).Values, extractor.Extract(noise).Values);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
            Assert.Equal(i % 2 == 0 ? expected.Item1 : expected.Item2, extractor.Extract(i % 2 == 0 ? fox : noise).Values))));
    }

    [Fact]
    public void Extract_Repeatedly_AllocatesItsResultAlone()
    {
        var extractor = new LogMelExtractor(80);
        var samples = Samples("noise_1s");
        extractor.Extract(samples);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++)
        {
            extractor.Extract(samples);
        }

        var perCall = (GC.GetAllocatedBytesForCurrentThread() - before) / 10;
        Assert.InRange(perCall, 4 * 80 * 100, (4 * 80 * 100) + 200);
    }

    /// <summary>The definition: padding, mirrored ends, a plain Fourier sum in float64.</summary>
    private static double[] Direct(float[] samples, int length, int mels)
    {
        var frames = length / 160;
        var bank = new MelFilterBank(mels);
        var values = new double[mels * frames];
        for (var frame = 0; frame < frames; frame++)
        {
            var windowed = new double[400];
            for (var n = 0; n < 400; n++)
            {
                var index = (frame * 160) + n - 200;
                while (length > 1 && (index < 0 || index >= length))
                {
                    index = index < 0 ? -index : (2 * (length - 1)) - index;
                }

                index = length == 1 ? 0 : index;
                windowed[n] = index < samples.Length ? samples[index] * (0.5 - (0.5 * Math.Cos(2 * Math.PI * n / 400))) : 0;
            }

            var power = new double[201];
            for (var k = 0; k < 201; k++)
            {
                double re = 0, im = 0;
                for (var n = 0; n < 400; n++)
                {
                    var (sin, cos) = Math.SinCos(2 * Math.PI * (k * n % 400) / 400);
                    re += windowed[n] * cos;
                    im -= windowed[n] * sin;
                }

                power[k] = (re * re) + (im * im);
            }

            for (var bin = 0; bin < mels; bin++)
            {
                var weights = bank.Filter(bin, out var start);
                double sum = 0;
                for (var k = 0; k < weights.Length; k++)
                {
                    sum += weights[k] * power[start + k];
                }

                values[(bin * frames) + frame] = Math.Log10(Math.Max(sum, 1e-10));
            }
        }

        var maximum = values.Length == 0 ? 0 : values.Max();
        return [.. values.Select(value => (Math.Max(value, maximum - 8) + 4) / 4)];
    }

    private static float[] Samples(string signal) => WavFixture.Read(signal is "jfk" or "fox" ? $"audio/{signal}.wav" : $"features/signals/{signal}.wav");

    private static void AssertClose(NpyArray expected, int[] shape, FeatureMatrix found, int firstFrame)
    {
        Assert.Equal(shape, expected.Shape);
        var (rows, columns) = (shape[0], shape[1]);
        var worst = 0.0;
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                worst = Math.Max(worst, Math.Abs(expected.Values[(row * columns) + column] - found.Values[(row * found.Frames) + firstFrame + column]));
            }
        }

        Assert.True(worst <= Tolerance, $"The largest difference is {worst:e2}.");
    }
}
