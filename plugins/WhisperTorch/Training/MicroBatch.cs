using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>What the model needs of a collated batch.</summary>
/// <param name="Features"><c>[batch, mel, frame]</c>, C order.</param>
/// <param name="Batch">Rows.</param>
/// <param name="Frames">Frames of each row, even.</param>
/// <param name="Labels"><c>[batch, length]</c>: the tokens after the start token, padded with <see cref="TrainingBatch.Ignored"/>.</param>
/// <param name="LabelLength">Labels of each row.</param>
internal sealed record MicroBatch(float[] Features, int Batch, int Frames, int[] Labels, int LabelLength)
{
    /// <summary>Frames of each row that are not padding; empty if all are.</summary>
    public IReadOnlyList<int> FrameCounts { get; init; } = [];

    /// <summary>CTC classes of each row, from 1; empty without CTC.</summary>
    public IReadOnlyList<int[]> Symbols { get; init; } = [];

    /// <summary>How much each row counts, above 0; empty if all count 1.</summary>
    public IReadOnlyList<double> Weights { get; init; } = [];

    /// <summary>The rows that keep what the model knows, ascending.</summary>
    public IReadOnlyList<int> Replay { get; init; } = [];

    /// <summary>Each row's own frames, and what they are known by; empty where nobody asks.</summary>
    public IReadOnlyList<ExampleFrames> Examples { get; init; } = [];

    /// <summary>Labels that count.</summary>
    public int Tokens => Labels.Length - Labels.AsSpan().Count(TrainingBatch.Ignored);

    /// <summary>Labels that count, by the weights of their rows.</summary>
    public double WeightOfTokens => Weights.Count == 0 ? Tokens : Enumerable.Range(0, Batch).Sum(WeightOf);

    /// <summary>As <see cref="WeightOfTokens"/>, of the rows in <see cref="Replay"/>.</summary>
    public double WeightOfReplay => Replay.Sum(WeightOf);

    /// <summary>Rows by their weights.</summary>
    public double WeightOfRows => Weights.Count == 0 ? Batch : Weights.Sum();

    /// <summary>Encoder positions of each row that are not padding.</summary>
    public int[] Positions =>
        [.. Enumerable.Range(0, Batch).Select(row => ((FrameCounts.Count == 0 ? Frames : FrameCounts[row]) + 1) / 2)];

    /// <summary>Takes a collated batch over.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="ctc">What CTC predicts, or null.</param>
    /// <param name="examples">How long each row is for itself; null where nobody asks for <see cref="Examples"/>.</param>
    public static MicroBatch Of(TrainingBatch batch, CtcTargets? ctc = null, EncoderContext? examples = null) =>
        new(batch.Features, batch.Batch, batch.Frames, batch.Labels, batch.LabelLength)
        {
            FrameCounts = batch.FrameCounts,
            Symbols = ctc is null ? [] : [.. batch.Samples.Select(ctc.Encode)],
            Weights = batch.Samples.All(sample => sample.Weight == 1) ? [] : [.. batch.Samples.Select(sample => sample.Weight)],
            Replay = [.. Enumerable.Range(0, batch.Batch).Where(row => batch.Samples[row].IsReplay)],
            Examples = examples is { } context ? [.. Enumerable.Range(0, batch.Batch).Select(row => ExampleFrames.Of(batch, row, context))] : [],
        };

    /// <summary>A batch of some of the rows, for passes that need features and labels alone.</summary>
    public MicroBatch Only(IReadOnlyList<int> rows)
    {
        var size = Features.Length / Batch;
        return new MicroBatch(
            [.. rows.SelectMany(row => new ArraySegment<float>(Features, row * size, size))],
            rows.Count,
            Frames,
            [.. rows.SelectMany(row => new ArraySegment<int>(Labels, row * LabelLength, LabelLength))],
            LabelLength)
        {
            Examples = Examples.Count == 0 ? [] : [.. rows.Select(row => Examples[row])],
        };
    }

    private double WeightOf(int row) =>
        (Weights.Count == 0 ? 1 : Weights[row]) * (LabelLength - Labels.AsSpan(row * LabelLength, LabelLength).Count(TrainingBatch.Ignored));
}

/// <summary>The frames of an example without its batch's padding.</summary>
/// <param name="Frames">How many, even.</param>
/// <param name="Key">Of their content: equal frames have equal keys.</param>
internal readonly record struct ExampleFrames(int Frames, UInt128 Key)
{
    /// <summary>Those of a row.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="row">The row.</param>
    /// <param name="context">Whether the batch's padding belongs to it.</param>
    public static ExampleFrames Of(TrainingBatch batch, int row, EncoderContext context)
    {
        var frames = context == EncoderContext.Full ? batch.Frames : Math.Max(2, batch.FrameCounts[row] + (batch.FrameCounts[row] & 1));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var bin = 0; bin < batch.FeatureSize; bin++)
        {
            hash.AppendData(MemoryMarshal.AsBytes(batch.Features.AsSpan(((row * batch.FeatureSize) + bin) * batch.Frames, frames)));
        }

        return new ExampleFrames(frames, BinaryPrimitives.ReadUInt128LittleEndian(hash.GetHashAndReset()));
    }
}
