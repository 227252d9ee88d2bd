namespace AsrPlatform.Abstractions.Features;

/// <summary>Features of one utterance, row by row: <c>[feature, frame]</c>.</summary>
public sealed class FeatureMatrix
{
    /// <summary>Wraps values without copying them.</summary>
    /// <param name="values"><c>[featureSize, frames]</c>, C order.</param>
    /// <param name="featureSize">Rows.</param>
    /// <param name="frames">Columns.</param>
    /// <param name="validFrames">Leading frames that come from audio and not from padding.</param>
    public FeatureMatrix(float[] values, int featureSize, int frames, int validFrames)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, checked(featureSize * frames), nameof(values));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(validFrames, frames);
        Values = values;
        FeatureSize = featureSize;
        Frames = frames;
        ValidFrames = validFrames;
    }

    /// <summary><c>[featureSize, frames]</c>, C order; not a copy.</summary>
    public float[] Values { get; }

    /// <summary>Rows (mel bins).</summary>
    public int FeatureSize { get; }

    /// <summary>Columns.</summary>
    public int Frames { get; }

    /// <summary>Leading frames that come from audio and not from padding.</summary>
    public int ValidFrames { get; }
}
