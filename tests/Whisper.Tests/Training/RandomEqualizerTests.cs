using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class RandomEqualizerTests
{
    private const int Bins = 80;
    private const int Frames = 20;
    private const double Decibels = 8;
    private const float Silence = -0.5f;

    private readonly RandomEqualizer _equalizer = new(Decibels);

    [Fact]
    public void Apply_RaisesAndLowersBinsByNoMoreThanItsStrength_AlongASmoothCurve()
    {
        var largest = 0f;
        for (var seed = 0; seed < 200; seed++)
        {
            var batch = Batch(1, level: 1);
            _equalizer.Apply(batch, SeededRandom.Of(1, "equalizer", seed));
            var gains = Enumerable.Range(0, Bins).Select(bin => batch.Features[(bin * Frames) + 3] - 1).ToArray();
            Assert.All(gains, gain => Assert.InRange(gain, (float)-(Decibels / 40) - 1e-6f, (float)(Decibels / 40) + 1e-6f));
            largest = Math.Max(largest, gains.Max());

            // Of 80 bins, 6 points can bend the curve at 4.
            var bends = Enumerable.Range(1, Bins - 2).Count(bin => Math.Abs(gains[bin + 1] - (2 * gains[bin]) + gains[bin - 1]) > 1e-4f);
            Assert.InRange(bends, 0, 8);
        }

        Assert.InRange(largest, 0.8 * Decibels / 40, Decibels / 40);
    }

    [Fact]
    public void Apply_KeepsSilenceAtTheFloor()
    {
        var batch = Batch(1, level: 1);
        for (var bin = 0; bin < Bins; bin++)
        {
            batch.Features[(bin * Frames) + Frames - 1] = -1;
        }

        _equalizer.Apply(batch, SeededRandom.Of(1, "equalizer", 2));
        var floor = batch.Features.Max() - 2;
        Assert.All(Enumerable.Range(0, Bins), bin => Assert.Equal(floor, batch.Features[(bin * Frames) + Frames - 1], 1e-6f));
    }

    [Fact]
    public void Apply_GivesEveryRowACurveOfItsOwn_AndTheSameForTheSameStream()
    {
        var (first, again, other) = (Batch(3, Silence), Batch(3, Silence), Batch(3, Silence));
        _equalizer.Apply(first, SeededRandom.Of(1, "equalizer", 7));
        _equalizer.Apply(again, SeededRandom.Of(1, "equalizer", 7));
        _equalizer.Apply(other, SeededRandom.Of(1, "equalizer", 8));
        Assert.Equal(first.Features, again.Features);
        Assert.NotEqual(first.Features, other.Features);
        Assert.Equal(3, Enumerable.Range(0, 3).Select(row => string.Join(' ', first.Features.Skip(row * Bins * Frames).Take(Bins * Frames))).Distinct().Count());
    }

    private static TrainingBatch Batch(int rows, float level) => FeatureBatch.Of([.. Enumerable.Repeat(level, rows * Bins * Frames)], rows, Frames);
}
