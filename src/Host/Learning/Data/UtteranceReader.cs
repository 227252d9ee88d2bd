using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Host.Audio;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>Reads stretches of one audio file; ascending ones in one pass. Not safe for concurrent calls.</summary>
internal sealed class UtteranceReader : IDisposable
{
    private readonly AudioFile _file;
    private IAudioReader? _reader;
    private long _position;

    /// <summary>Opens a file.</summary>
    /// <exception cref="AsrException">It is no audio.</exception>
    public UtteranceReader(string path)
    {
        _file = AudioFile.Open(path);
    }

    /// <summary>The file's length at 16 kHz where it is known without decoding.</summary>
    public long? LengthSamples => _file.LengthSamples;

    /// <summary>Reads the samples of a stretch, at most <paramref name="limit"/> + 1: one more shows that it is too long.</summary>
    /// <exception cref="AsrException">The audio is broken.</exception>
    public float[] Read(double startSeconds, double? endSeconds, int limit)
    {
        var start = (long)Math.Round(startSeconds * AudioFile.TargetRateHz);
        var wanted = endSeconds is { } end ? Math.Min(limit + 1L, (long)Math.Round(end * AudioFile.TargetRateHz) - start) : limit + 1L;
        if (_reader is null || start < _position)
        {
            _reader?.Dispose();
            _reader = _file.OpenReader();
            _position = 0;
        }

        var skipped = new float[Math.Min(start - _position, 1 << 16)];
        while (_position < start)
        {
            var count = _reader.Read(skipped.AsSpan(0, (int)Math.Min(start - _position, skipped.Length)));
            if (count == 0)
            {
                return [];
            }

            _position += count;
        }

        var known = _file.LengthSamples is { } length ? Math.Max(0, length - start) : wanted;
        var samples = new float[Math.Min(wanted, known + 1)];
        var filled = 0;
        while (filled < wanted)
        {
            if (filled == samples.Length)
            {
                Array.Resize(ref samples, (int)Math.Min(wanted, samples.Length * 2L));
            }

            var count = _reader.Read(samples.AsSpan(filled));
            if (count == 0)
            {
                break;
            }

            filled += count;
        }

        _position += filled;
        return samples[..filled];
    }

    /// <summary>
    /// The features of an utterance as its model sees them: those of the audio padded with silence to the context, up to where silence
    /// alone begins.
    /// </summary>
    /// <param name="extractor">The model's features.</param>
    /// <param name="samples">At most <paramref name="contextSamples"/>.</param>
    /// <param name="contextSamples">What the encoder can hear at once.</param>
    public static FeatureMatrix Extract(LogMelExtractor extractor, ReadOnlySpan<float> samples, int contextSamples)
    {
        // A window's half beyond the last sample still hears it; past that, padding is silence however long it is.
        var padded = samples.Length + LogMelExtractor.HalfWindow + (2 * extractor.HopLength);
        return extractor.Extract(samples, Math.Min(contextSamples, padded / extractor.HopLength * extractor.HopLength));
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _reader?.Dispose();
        _file.Dispose();
    }
}
