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

    /// <summary>Labels that count.</summary>
    public int Tokens => Labels.Length - Labels.AsSpan().Count(TrainingBatch.Ignored);

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
        };
}
