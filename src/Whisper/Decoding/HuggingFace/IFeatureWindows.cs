using AsrPlatform.Abstractions.Features;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Features of one row of any length, read window by window from front to back.</summary>
public interface IFeatureWindows
{
    /// <summary>Frames, padding counted.</summary>
    int Frames { get; }

    /// <summary>Leading frames that come from audio and not from padding.</summary>
    int ValidFrames { get; }

    /// <summary>Copies frames.</summary>
    /// <param name="start">First frame; never less than in the call before.</param>
    /// <param name="frames">Number of frames, all of them within <see cref="Frames"/>.</param>
    /// <param name="destination"><c>[feature, frame]</c> with rows <paramref name="stride"/> apart.</param>
    /// <param name="stride">Distance of two rows.</param>
    void Read(int start, int frames, Span<float> destination, int stride);
}

/// <summary>Features that are in memory.</summary>
public sealed class FeatureMatrixWindows(FeatureMatrix matrix) : IFeatureWindows
{
    /// <inheritdoc />
    public int Frames => matrix.Frames;

    /// <inheritdoc />
    public int ValidFrames => matrix.ValidFrames;

    /// <inheritdoc />
    public void Read(int start, int frames, Span<float> destination, int stride)
    {
        for (var row = 0; row < matrix.FeatureSize; row++)
        {
            matrix.Values.AsSpan((row * matrix.Frames) + start, frames).CopyTo(destination[(row * stride)..]);
        }
    }
}
