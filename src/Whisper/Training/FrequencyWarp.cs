using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Training;

/// <summary>
/// Moves the mel bins of training examples up or down, each example by a factor of its own, as another speaker's vocal tract would
/// (vocal tract length perturbation, Jaitly and Hinton 2013). Words keep their times.
/// </summary>
/// <remarks>Immutable; safe for concurrent calls.</remarks>
public sealed class FrequencyWarp
{
    /// <summary>Largest strength: from half to twice the frequencies is no speaker any more.</summary>
    public const double MaxStrength = 0.5;

    private readonly double _strength;
    private readonly MelFilterBank _filters;

    /// <summary>Makes the warp for features of that size.</summary>
    /// <param name="strength">w, up to <see cref="MaxStrength"/>: factors lie between 1 / (1 + w) and 1 + w.</param>
    /// <param name="featureSize">Mel bins.</param>
    public FrequencyWarp(double strength, int featureSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(strength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(strength, MaxStrength);
        _strength = strength;
        _filters = new MelFilterBank(featureSize);
    }

    /// <summary>Warps a batch in place, before anything is masked.</summary>
    /// <param name="batch">The batch; its features are overwritten.</param>
    /// <param name="random">A stream of its own: one number is drawn for every row.</param>
    public void Apply(TrainingBatch batch, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(random);
        var size = batch.FeatureSize * batch.Frames;
        var original = new float[size];
        for (var row = 0; row < batch.Batch; row++)
        {
            // As often up as down: the logarithm of the factor is uniform.
            var factor = Math.Pow(1 + _strength, (2 * random.NextDouble()) - 1);
            var features = batch.Features.AsSpan(row * size, size);
            features.CopyTo(original);
            Warp(original, features, batch.Frames, factor);
        }
    }

    /// <summary>Warps one example.</summary>
    /// <param name="source"><c>[mel, frame]</c>.</param>
    /// <param name="warped"><c>[mel, frame]</c>: what was at a frequency f is at f × factor.</param>
    /// <param name="frames">Frames.</param>
    /// <param name="factor">Above 1 for a shorter vocal tract.</param>
    internal void Warp(ReadOnlySpan<float> source, Span<float> warped, int frames, double factor)
    {
        for (var bin = 0; bin < _filters.Bins; bin++)
        {
            // Beyond the highest bin there is nothing to take: it is repeated.
            var from = Math.Clamp(_filters.BinOf(_filters.CentreHz(bin) / factor), 0, _filters.Bins - 1);
            var lower = (int)from;
            var share = (float)(from - lower);
            var low = source.Slice(lower * frames, frames);
            var high = source.Slice(Math.Min(lower + 1, _filters.Bins - 1) * frames, frames);
            var target = warped.Slice(bin * frames, frames);
            for (var frame = 0; frame < frames; frame++)
            {
                target[frame] = low[frame] + (share * (high[frame] - low[frame]));
            }
        }
    }
}
