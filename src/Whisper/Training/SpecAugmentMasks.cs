using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Training;

/// <summary>What SpecAugment masks (Park et al. 2019, as transformers' Whisper does it).</summary>
/// <param name="TimeProb">Share of frames that the spans' lengths add up to, 0…1.</param>
/// <param name="TimeLength">Frames of a span.</param>
/// <param name="TimeMinMasks">Least number of spans.</param>
/// <param name="FeatureProb">Share of mel bins, 0…1.</param>
/// <param name="FeatureLength">Mel bins of a span.</param>
/// <param name="FeatureMinMasks">Least number of spans.</param>
public sealed record SpecAugmentSettings(
    double TimeProb, int TimeLength, int TimeMinMasks, double FeatureProb, int FeatureLength, int FeatureMinMasks)
{
    /// <summary>The settings of a run: the arguments', and the model's where these say nothing.</summary>
    /// <returns>Null when nothing is masked.</returns>
    public static SpecAugmentSettings? Of(TrainingArguments arguments, WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(config);
        return !(arguments.ApplySpecAugment ?? config.ApplySpecAugment)
            ? null
            : new SpecAugmentSettings(
                arguments.MaskTimeProb ?? config.MaskTimeProb,
                arguments.MaskTimeLength ?? config.MaskTimeLength,
                arguments.MaskTimeMinMasks ?? config.MaskTimeMinMasks,
                arguments.MaskFeatureProb ?? config.MaskFeatureProb,
                arguments.MaskFeatureLength ?? config.MaskFeatureLength,
                arguments.MaskFeatureMinMasks ?? config.MaskFeatureMinMasks);
    }
}

/// <summary>Which frames and mel bins of a batch are zeroed in training. Immutable.</summary>
public sealed class SpecAugmentMasks
{
    private readonly bool[]? _time;
    private readonly bool[]? _feature;

    /// <summary>Takes masks as they are.</summary>
    /// <param name="batch">Rows.</param>
    /// <param name="time"><c>[batch, frame]</c>, true where all mel bins become 0; null for none.</param>
    /// <param name="feature"><c>[batch, mel]</c>, true where all frames become 0; null for none.</param>
    public SpecAugmentMasks(int batch, bool[]? time, bool[]? feature)
    {
        Batch = batch;
        _time = time;
        _feature = feature;
    }

    /// <summary>Rows.</summary>
    public int Batch { get; }

    /// <summary>Masked frames, <c>[batch, frame]</c>.</summary>
    public ReadOnlySpan<bool> Time => _time;

    /// <summary>Masked mel bins, <c>[batch, mel]</c>.</summary>
    public ReadOnlySpan<bool> Feature => _feature;

    /// <summary>Draws masks for a batch (transformers' <c>_mask_input_features</c>).</summary>
    /// <param name="settings">How much to mask.</param>
    /// <param name="batch">The batch; spans of a row lie within its own frames.</param>
    /// <param name="random">A stream of its own: what is drawn here moves nothing else.</param>
    public static SpecAugmentMasks Draw(SpecAugmentSettings settings, TrainingBatch batch, SeededRandom random)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(random);
        var time = settings.TimeProb > 0
            ? Spans(batch.FrameCounts, batch.Frames, settings.TimeProb, settings.TimeLength, settings.TimeMinMasks, random)
            : null;
        var feature = settings.FeatureProb > 0
            ? Spans(
                [.. Enumerable.Repeat(batch.FeatureSize, batch.Batch)], batch.FeatureSize, settings.FeatureProb, settings.FeatureLength, settings.FeatureMinMasks, random)
            : null;
        return new SpecAugmentMasks(batch.Batch, time, feature);
    }

    /// <summary>Zeroes what is masked; before the features reach the model.</summary>
    /// <param name="features"><c>[batch, mel, frame]</c>, C order.</param>
    /// <param name="featureSize">Mel bins.</param>
    /// <param name="frames">Frames.</param>
    public void Apply(Span<float> features, int featureSize, int frames)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(features.Length, Batch * featureSize * frames, nameof(features));
        for (var row = 0; row < Batch; row++)
        {
            for (var bin = 0; bin < featureSize; bin++)
            {
                var values = features.Slice(((row * featureSize) + bin) * frames, frames);
                if (_feature is not null && _feature[(row * featureSize) + bin])
                {
                    values.Clear();
                    continue;
                }

                if (_time is not null)
                {
                    var masked = _time.AsSpan(row * frames, frames);
                    for (var frame = 0; frame < frames; frame++)
                    {
                        if (masked[frame])
                        {
                            values[frame] = 0;
                        }
                    }
                }
            }
        }
    }

    /// <summary>transformers' <c>_compute_mask_indices</c>.</summary>
    /// <param name="lengths">Length of each row.</param>
    /// <param name="width">Length of the axis; at least every row's.</param>
    /// <param name="prob">Share of a row that the spans' lengths add up to.</param>
    /// <param name="length">Length of a span.</param>
    /// <param name="minMasks">Least number of spans.</param>
    /// <param name="random">Draws one number for the batch and the starts for each row.</param>
    /// <returns><c>[row, width]</c>.</returns>
    /// <remarks>
    /// Spans that would not fit are left out; transformers refuses an axis shorter than a span, and zeroes the last (padding) frame of rows
    /// without a span in a batch that has some.
    /// </remarks>
    internal static bool[] Spans(ReadOnlySpan<int> lengths, int width, double prob, int length, int minMasks, SeededRandom random)
    {
        var masked = new bool[lengths.Length * width];

        // One draw rounds the number of spans up or down for the whole batch.
        var rounding = random.NextDouble();
        for (var row = 0; row < lengths.Length; row++)
        {
            var count = Math.Max((int)((prob * lengths[row] / length) + rounding), minMasks);
            count = Math.Min(count, width / length);
            var starts = lengths[row] - length + 1;
            count = Math.Min(count, Math.Max(starts, 0));
            if (count == 0)
            {
                continue;
            }

            foreach (var start in random.Choose(starts, count))
            {
                masked.AsSpan((row * width) + start, length).Fill(true);
            }
        }

        return masked;
    }
}
