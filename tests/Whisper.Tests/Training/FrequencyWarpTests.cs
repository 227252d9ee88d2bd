using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class FrequencyWarpTests
{
    private const int Frames = 50;

    private readonly FrequencyWarp _warp = new(0.2, featureSize: 80);

    [Theory]
    [InlineData(300, 1.2)]
    [InlineData(700, 0.85)]
    [InlineData(1500, 1.15)]
    [InlineData(4000, 0.9)]
    public void Warp_OfATone_IsAsATonePitchedByTheFactor(double hz, double factor)
    {
        var warped = new float[80 * Frames];
        _warp.Warp(Tone(hz), warped, Frames, factor);
        Assert.InRange(Peak(warped) - Peak(Tone(hz * factor)), -1, 1);
        Assert.NotEqual(Peak(warped), Peak(Tone(hz)));
    }

    [Fact]
    public void Warp_ByOne_ChangesNothing()
    {
        var source = Tone(900);
        var warped = new float[source.Length];
        _warp.Warp(source, warped, Frames, factor: 1);
        for (var i = 0; i < source.Length; i++)
        {
            Assert.Equal(source[i], warped[i], 1e-5f);
        }
    }

    [Fact]
    public void Apply_GivesEveryRowAFactorOfItsOwn_AndTheSameForTheSameStream()
    {
        var (first, again, other) = (Batch(), Batch(), Batch());
        _warp.Apply(first, SeededRandom.Of(1, "frequency-warp", 7));
        _warp.Apply(again, SeededRandom.Of(1, "frequency-warp", 7));
        _warp.Apply(other, SeededRandom.Of(1, "frequency-warp", 8));
        Assert.Equal(first.Features, again.Features);
        Assert.NotEqual(first.Features, other.Features);
        Assert.Equal(4, Enumerable.Range(0, 4).Select(row => string.Join(' ', first.Features.Skip(row * 80 * Frames).Take(80 * Frames))).Distinct().Count());
    }

    private static TrainingBatch Batch() => FeatureBatch.Of([.. Enumerable.Repeat(Tone(900), 4).SelectMany(values => values)], 4, Frames);

    /// <summary><c>[mel, frame]</c> of half a second.</summary>
    private static float[] Tone(double hz)
    {
        var samples = new float[Frames * 160];
        for (var i = 0; i < samples.Length; i++)
        {
            samples[i] = (float)(0.5 * Math.Sin(2 * Math.PI * hz * i / 16000));
        }

        return new LogMelExtractor(80).Extract(samples).Values;
    }

    private static int Peak(float[] features) =>
        Enumerable.Range(0, 80).MaxBy(bin => features[(bin * Frames) + (Frames / 2)]);
}
