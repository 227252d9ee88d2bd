using System.Globalization;
using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Training;

/// <summary>Puts examples into batches: features and labels padded apart. Immutable and safe for concurrent calls.</summary>
public sealed class WhisperCollator
{
    private readonly int _featureSize;
    private readonly int _maxFrames;
    private readonly int _maxLabels;
    private readonly int _decoderStart;
    private readonly int _pad;
    private readonly EncoderContext _context;

    /// <summary>Makes a collator for a model.</summary>
    /// <param name="config">The model's dimensions and its decoder start and padding tokens.</param>
    /// <param name="context">Whether features are padded to the model's whole context or to the batch's longest.</param>
    /// <exception cref="AsrException">The configuration names no decoder start token.</exception>
    public WhisperCollator(WhisperConfig config, EncoderContext context)
    {
        ArgumentNullException.ThrowIfNull(config);
        _featureSize = config.NumMelBins;
        _maxFrames = config.MaxFrames;
        _maxLabels = config.MaxTargetPositions;
        _decoderStart = config.DecoderStartTokenId ?? throw new AsrException("config.json has no \"decoder_start_token_id\": training needs it.");
        _pad = config.PadTokenId ?? config.EosTokenId ?? throw new AsrException("config.json has neither \"pad_token_id\" nor \"eos_token_id\": training needs one.");
        _context = context;
    }

    /// <summary>Puts examples into a batch.</summary>
    /// <param name="samples">At least one.</param>
    /// <exception cref="AsrException">An example does not fit the model; the message names it.</exception>
    public TrainingBatch Collate(IReadOnlyList<TrainingSample> samples)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfZero(samples.Count, nameof(samples));
        foreach (var sample in samples)
        {
            Check(sample);
        }

        // As the usual collator: the column goes only when every row has it, because the model puts the start token there itself.
        var skip = samples.All(sample => sample.Labels.Length > 0 && sample.Labels[0] == _decoderStart) ? 1 : 0;
        var labelLength = samples.Max(sample => sample.Labels.Length) - skip;
        if (labelLength > _maxLabels)
        {
            var longest = samples.MaxBy(sample => sample.Labels.Length)!;
            throw new AsrException($"{longest.Id}: its text has {longest.Labels.Length - skip} tokens; the model takes up to {_maxLabels}. Split it, or leave it out.");
        }

        var labels = new int[samples.Count * labelLength];
        Array.Fill(labels, TrainingBatch.Ignored);
        var labelCounts = new int[samples.Count];
        for (var row = 0; row < samples.Count; row++)
        {
            var source = samples[row].Labels.AsSpan(skip);
            source.CopyTo(labels.AsSpan(row * labelLength));
            labelCounts[row] = source.Length;
        }

        var frames = _context == EncoderContext.Full ? _maxFrames : samples.Max(sample => sample.Features.ValidFrames);

        // The encoder's second convolution halves the frames.
        frames = Math.Max(2, frames + (frames & 1));
        var features = new float[samples.Count * _featureSize * frames];
        var frameCounts = new int[samples.Count];
        for (var row = 0; row < samples.Count; row++)
        {
            frameCounts[row] = samples[row].Features.ValidFrames;
            CopyFeatures(samples[row], features.AsSpan(row * _featureSize * frames, _featureSize * frames), frames);
        }

        return new TrainingBatch
        {
            Features = features,
            Batch = samples.Count,
            FeatureSize = _featureSize,
            Frames = frames,
            FrameCounts = frameCounts,
            Labels = labels,
            LabelLength = labelLength,
            LabelCounts = labelCounts,
            DecoderInputs = Shift(labels, labelLength),
            Samples = [.. samples],
        };
    }

    private void Check(TrainingSample sample)
    {
        var features = sample.Features;
        if (features.FeatureSize != _featureSize)
        {
            throw new AsrException($"{sample.Id}: its features have {features.FeatureSize} mel bins; the model takes {_featureSize}.");
        }

        if (features.ValidFrames > _maxFrames)
        {
            throw new AsrException($"{sample.Id}: its audio has {features.ValidFrames} frames; the model takes up to {_maxFrames}. Split it, or leave it out.");
        }

        if (sample.Labels.Length == 0)
        {
            throw new AsrException($"{sample.Id}: it has no labels.");
        }

        if (!double.IsFinite(sample.Weight) || sample.Weight <= 0)
        {
            throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"{sample.Id}: its weight is {sample.Weight}; it must be above 0."));
        }
    }

    /// <summary>Copies an example's frames and goes on with silence.</summary>
    private void CopyFeatures(TrainingSample sample, Span<float> destination, int frames)
    {
        var features = sample.Features;
        var copied = Math.Min(frames, features.Frames);
        var silence = copied < frames ? Silence(features.Values) : 0;
        for (var bin = 0; bin < _featureSize; bin++)
        {
            var row = destination.Slice(bin * frames, frames);
            features.Values.AsSpan(bin * features.Frames, copied).CopyTo(row);
            row[copied..].Fill(silence);
        }
    }

    /// <summary>
    /// The value of silence among these features: log10(1e-10), but no lower than 8 below the loudest, scaled by (x + 4) / 4 as Whisper's
    /// features are.
    /// </summary>
    private static float Silence(float[] values) => values.Length == 0 ? -1.5f : Math.Max(TensorPrimitives.Max(values) - 2f, -1.5f);

    /// <summary>transformers' <c>shift_tokens_right</c>.</summary>
    private int[] Shift(int[] labels, int length)
    {
        var inputs = new int[labels.Length];
        for (var index = 0; index < labels.Length; index++)
        {
            inputs[index] = index % length == 0 ? _decoderStart : labels[index - 1] == TrainingBatch.Ignored ? _pad : labels[index - 1];
        }

        return inputs;
    }
}
