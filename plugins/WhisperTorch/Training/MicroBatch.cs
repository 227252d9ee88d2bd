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
    public static MicroBatch Of(TrainingBatch batch, CtcTargets? ctc = null) =>
        new(batch.Features, batch.Batch, batch.Frames, batch.Labels, batch.LabelLength)
        {
            FrameCounts = batch.FrameCounts,
            Symbols = ctc is null ? [] : [.. batch.Samples.Select(ctc.Encode)],
            Weights = batch.Samples.All(sample => sample.Weight == 1) ? [] : [.. batch.Samples.Select(sample => sample.Weight)],
            Replay = [.. Enumerable.Range(0, batch.Batch).Where(row => batch.Samples[row].IsReplay)],
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
            LabelLength);
    }

    private double WeightOf(int row) =>
        (Weights.Count == 0 ? 1 : Weights[row]) * (LabelLength - Labels.AsSpan(row * LabelLength, LabelLength).Count(TrainingBatch.Ignored));
}
