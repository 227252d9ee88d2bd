using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Whisper.Training;

/// <summary>Examples as a model takes them. Belongs to whoever collated it.</summary>
public sealed class TrainingBatch
{
    /// <summary>A label that does not count (torch's <c>ignore_index</c>).</summary>
    public const int Ignored = -100;

    /// <summary><c>[batch, mel, frame]</c>, C order.</summary>
    public required float[] Features { get; init; }

    /// <summary>Rows.</summary>
    public required int Batch { get; init; }

    /// <summary>Mel bins.</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Frames of each row, even.</summary>
    public required int Frames { get; init; }

    /// <summary>Leading frames of each row that come from audio: the sums of transformers' attention mask.</summary>
    public required int[] FrameCounts { get; init; }

    /// <summary><c>[batch, length]</c>: what to predict, padded with <see cref="Ignored"/>; the end of text is a label.</summary>
    public required int[] Labels { get; init; }

    /// <summary>Columns of <see cref="Labels"/>.</summary>
    public required int LabelLength { get; init; }

    /// <summary>Labels of each row that count.</summary>
    public required int[] LabelCounts { get; init; }

    /// <summary><c>[batch, length]</c>: the labels shifted right behind the decoder's start token, with padding tokens at the end.</summary>
    public required int[] DecoderInputs { get; init; }

    /// <summary>The examples, a row each.</summary>
    public required IReadOnlyList<TrainingSample> Samples { get; init; }

    /// <summary>Labels that count, of all rows.</summary>
    public int TokenCount => LabelCounts.Sum();
}
