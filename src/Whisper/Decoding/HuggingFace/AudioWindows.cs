using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Features of audio of any length as transformers' feature extractor gives them.</summary>
internal static class AudioWindows
{
    // 115 MB of samples and 58 MB of features with 80 mel bins.
    private const int LongestInMemorySeconds = 30 * 60;

    /// <summary>Opens audio.</summary>
    /// <param name="audio">The audio, at the extractor's rate; not disposed.</param>
    /// <param name="extractor">The model's features.</param>
    /// <param name="windowFrames">Frames of the model's window.</param>
    /// <param name="cancellationToken">Stops the reading of the audio.</param>
    /// <param name="longestInMemorySeconds">Longer audio is read in bounded memory.</param>
    /// <returns>
    /// The windows, the length in seconds, and what to dispose at the end. Audio up to one window is padded with silence to that; audio up
    /// to half an hour has the features of the whole; longer audio has them in bounded memory, where only the last two frames are
    /// computed differently (the signal ends in silence instead of its mirror image).
    /// </returns>
    /// <exception cref="AsrException">The audio cannot be read or holds no samples.</exception>
    public static (IFeatureWindows Windows, double Seconds, IDisposable? Owner) Open(
        IAudioSource audio,
        LogMelExtractor extractor,
        int windowFrames,
        CancellationToken cancellationToken,
        int longestInMemorySeconds = LongestInMemorySeconds)
    {
        var limit = longestInMemorySeconds * extractor.SampleRateHz;
        if (audio.LengthSamples is not { } length || length <= limit || extractor.NormalizesSamples)
        {
            if (ReadAll(audio, extractor.NormalizesSamples ? int.MaxValue : limit, cancellationToken) is { } samples)
            {
                var window = windowFrames * extractor.HopLength;
                var features = extractor.Extract(samples, samples.Length <= window ? window : null);
                return (new FeatureMatrixWindows(features), (double)samples.Length / extractor.SampleRateHz, null);
            }
        }

        var stream = new LogMelStream(extractor, audio, cancellationToken);
        return (new StreamWindows(stream, windowFrames, extractor.FeatureSize), (double)stream.SampleCount / extractor.SampleRateHz, stream);
    }

    // Null for more samples than the limit.
    private static float[]? ReadAll(IAudioSource audio, int limit, CancellationToken cancellationToken)
    {
        using var reader = audio.OpenReader();
        var samples = new float[(int)Math.Clamp((audio.LengthSamples ?? (1 << 16)) + 1, 1, Array.MaxLength)];
        var count = 0;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = reader.Read(samples.AsSpan(count));
            count += read;
            if (read == 0)
            {
                return count > 0 ? samples[..count] : throw new AsrException("The audio holds no samples.");
            }

            if (count > limit)
            {
                return null;
            }

            if (count == samples.Length)
            {
                Array.Resize(ref samples, (int)Math.Min(2L * samples.Length, Array.MaxLength));
            }
        }
    }

    private sealed class StreamWindows(LogMelStream stream, int windowFrames, int features) : IFeatureWindows
    {
        private readonly float[] _window = new float[windowFrames * features]; // [feature, frame]

        public int Frames => stream.Frames;

        public int ValidFrames => stream.Frames;

        public void Read(int start, int frames, Span<float> destination, int stride)
        {
            stream.Read(start, frames, _window);
            for (var row = 0; row < features; row++)
            {
                _window.AsSpan(row * windowFrames, frames).CopyTo(destination[(row * stride)..]);
            }
        }
    }
}
