namespace AsrPlatform.Whisper.Training;

/// <summary>
/// Raises and lowers the frequencies of training examples along a random curve, each example along one of its own, as another microphone,
/// room or voice would (FilterAugment of the linear type, Nam et al. 2022). Words keep their times.
/// </summary>
/// <remarks>Immutable; safe for concurrent calls.</remarks>
public sealed class RandomEqualizer
{
    /// <summary>Largest strength in dB.</summary>
    public const double MaxDecibels = 30;

    /// <summary>Features are (log10 of the power + 4) / 4.</summary>
    private const double FeaturePerDecibel = 1.0 / (10 * 4);

    /// <summary>Features end 8 powers of ten below the loudest one.</summary>
    private const float FeatureRange = 8f / 4;

    /// <summary>Points of the curve: few, so that it is smooth.</summary>
    private const int MinPoints = 3;
    private const int MaxPoints = 6;

    private readonly double _decibels;

    /// <summary>Makes the equalizer.</summary>
    /// <param name="decibels">Gains lie between −this and +this, up to <see cref="MaxDecibels"/>.</param>
    public RandomEqualizer(double decibels)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(decibels);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(decibels, MaxDecibels);
        _decibels = decibels;
    }

    /// <summary>Changes a batch in place, before anything is masked.</summary>
    /// <param name="batch">The batch; its features are overwritten.</param>
    /// <param name="random">A stream of its own.</param>
    public void Apply(TrainingBatch batch, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(random);
        var gains = new float[batch.FeatureSize];
        for (var row = 0; row < batch.Batch; row++)
        {
            DrawCurve(gains, random);
            Equalize(batch.Features.AsSpan(row * batch.FeatureSize * batch.Frames, batch.FeatureSize * batch.Frames), batch.Frames, gains);
        }
    }

    /// <summary>Adds to every bin. What was silence stays silence: it is not there to be amplified.</summary>
    /// <param name="features"><c>[mel, frame]</c>, changed in place.</param>
    /// <param name="frames">Frames.</param>
    /// <param name="gains">For each bin, in units of the features.</param>
    internal static void Equalize(Span<float> features, int frames, ReadOnlySpan<float> gains)
    {
        const float Tolerance = 1e-3f; // of features kept in half precision
        var floor = Max(features) - FeatureRange + Tolerance;
        for (var bin = 0; bin < gains.Length; bin++)
        {
            foreach (ref var value in features.Slice(bin * frames, frames))
            {
                value = value <= floor ? float.NegativeInfinity : value + gains[bin];
            }
        }

        floor = Max(features) - FeatureRange;
        foreach (ref var value in features)
        {
            value = Math.Max(value, floor);
        }
    }

    private static float Max(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.Max(values);

    /// <summary>Gains at points drawn along the bins, on straight lines between them.</summary>
    private void DrawCurve(Span<float> gains, SeededRandom random)
    {
        var points = MinPoints + (int)(random.NextDouble() * (MaxPoints - MinPoints + 1));
        Span<double> places = stackalloc double[points];
        places[^1] = gains.Length - 1;
        for (var point = 1; point < points - 1; point++)
        {
            places[point] = random.NextDouble() * (gains.Length - 1);
        }

        places.Sort();
        var (segment, from, to) = (0, Draw(), Draw());
        for (var bin = 0; bin < gains.Length; bin++)
        {
            while (bin > places[segment + 1])
            {
                segment++;
                (from, to) = (to, Draw());
            }

            var length = places[segment + 1] - places[segment];
            var share = length > 0 ? (bin - places[segment]) / length : 1;
            gains[bin] = (float)((from + (share * (to - from))) * FeaturePerDecibel);
        }

        double Draw() => ((2 * random.NextDouble()) - 1) * _decibels;
    }
}
