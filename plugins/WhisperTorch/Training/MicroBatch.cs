namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Examples that go through the model together.</summary>
/// <param name="Features"><c>[batch, mel, frame]</c>, C order.</param>
/// <param name="Batch">Rows.</param>
/// <param name="Frames">Frames of each row, even.</param>
/// <param name="Labels"><c>[batch, length]</c>: the tokens after decoder_start, padded with <see cref="Ignored"/>.</param>
/// <param name="LabelLength">Labels of each row.</param>
internal sealed record MicroBatch(float[] Features, int Batch, int Frames, int[] Labels, int LabelLength)
{
    /// <summary>The label of a position that is no part of the loss.</summary>
    public const int Ignored = -100;

    /// <summary>Frames of each row that are not padding; empty if all are.</summary>
    public IReadOnlyList<int> FrameCounts { get; init; } = [];

    /// <summary>CTC symbols of each row, from 1; empty without CTC.</summary>
    public IReadOnlyList<int[]> Symbols { get; init; } = [];

    /// <summary>Labels that count.</summary>
    public int Tokens => Labels.Length - Labels.AsSpan().Count(Ignored);

    /// <summary>Encoder positions of each row that are not padding.</summary>
    public int[] Positions =>
        [.. Enumerable.Range(0, Batch).Select(row => ((FrameCounts.Count == 0 ? Frames : FrameCounts[row]) + 1) / 2)];
}
