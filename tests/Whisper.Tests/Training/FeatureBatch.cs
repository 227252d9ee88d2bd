using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

/// <summary>Batches for what changes features alone.</summary>
internal static class FeatureBatch
{
    /// <summary>Examples of equal length and without labels.</summary>
    /// <param name="features"><c>[row, mel, frame]</c>.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="frames">Frames of each row.</param>
    public static TrainingBatch Of(float[] features, int rows, int frames) => new()
    {
        Features = features,
        Batch = rows,
        FeatureSize = features.Length / (rows * frames),
        Frames = frames,
        FrameCounts = [.. Enumerable.Repeat(frames, rows)],
        Labels = [],
        LabelLength = 0,
        LabelCounts = [],
        DecoderInputs = [],
        Samples = [],
    };
}
