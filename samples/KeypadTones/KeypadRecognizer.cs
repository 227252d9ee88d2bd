using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace KeypadTones;

/// <summary>Reads the audio once, block by block, in memory that does not grow with its length.</summary>
public sealed class KeypadRecognizer(double segmentGapSeconds) : ISpeechRecognizer
{
    /// <summary>A pause longer than this begins a new segment.</summary>
    public const double DefaultSegmentGapSeconds = 1;

    private const int HopSamples = 80;

    /// <summary>Blocks that must agree: a tone of 40 ms (the shortest of ITU-T Q.24) fills at least this many.</summary>
    private const int MinimumBlocks = 3;

    /// <summary>Blocks without the key that end it; a single one is a click.</summary>
    private const int MaximumMisses = 2;

    private bool _disposed;

    public RecognizerInfo Info { get; } = new()
    {
        Name = "keypad-tones",
        Backend = "keypad (cpu)",
        SampleRateHz = ToneDetector.SampleRateHz,
    };

    public TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (audio.SampleRateHz != ToneDetector.SampleRateHz)
        {
            throw new AsrException($"the keypad recognizer takes {ToneDetector.SampleRateHz} Hz, the audio has {audio.SampleRateHz} Hz");
        }

        double? totalSeconds = audio.LengthSamples is { } length ? Seconds(length) : null;
        var segments = new List<TranscriptSegment>();
        var pending = new List<TranscriptWord>();
        var run = new Run();
        long samples = 0;
        var block = new float[ToneDetector.BlockSamples];
        using var reader = audio.OpenReader();
        for (var filled = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = Fill(reader, block.AsSpan(filled));
            samples += read;
            filled += read;

            // The end is padded with silence, so that a key held to the last sample ends too.
            block.AsSpan(filled).Clear();
            var key = ToneDetector.Detect(block, out var share);
            if (run.Add(key, share, samples - filled) is { } word)
            {
                pending.Add(word);
            }

            var now = Seconds(samples);
            if (pending.Count > 0 && !run.IsOpen && now - pending[^1].End > segmentGapSeconds)
            {
                Finish(now);
            }

            if (filled < HopSamples)
            {
                break;
            }

            block.AsSpan(HopSamples).CopyTo(block);
            filled -= HopSamples;
        }

        if (run.End() is { } last)
        {
            pending.Add(last);
        }

        if (pending.Count > 0)
        {
            Finish(Seconds(samples));
        }

        return new TranscriptionResult
        {
            Text = string.Join(' ', segments.Select(segment => segment.Text)),
            DurationSeconds = Seconds(samples),
            Segments = segments,
        };

        void Finish(double doneSeconds)
        {
            var duration = Seconds(samples);
            var words = pending.Select(word => word with { End = Math.Min(word.End, duration) }).ToList();
            var segment = new TranscriptSegment
            {
                Id = segments.Count,
                Start = words[0].Start,
                End = words[^1].End,
                Text = string.Concat(words.Select(word => word.Word)),
                Words = options.WordTimestamps ? words : null,
            };
            pending.Clear();
            segments.Add(segment);
            progress?.Invoke(new TranscriptionProgress(doneSeconds, totalSeconds, [segment]));
        }
    }

    public void Dispose() => _disposed = true;

    private static double Seconds(long samples) => (double)samples / ToneDetector.SampleRateHz;

    private static int Fill(IAudioReader reader, Span<float> destination)
    {
        var filled = 0;
        for (int read; filled < destination.Length && (read = reader.Read(destination[filled..])) > 0; filled += read)
        {
        }

        return filled;
    }

    /// <summary>A key while it is held down.</summary>
    private sealed class Run
    {
        private char? _key;
        private int _blocks;
        private int _misses;
        private double _shares;
        private long _firstSample;
        private long _lastSample;

        public bool IsOpen => _key is not null;

        /// <summary>Adds what the block at a sample holds; returns the key that has just been released.</summary>
        public TranscriptWord? Add(char? key, double share, long firstSample)
        {
            if (key is not null && key == _key)
            {
                _blocks++;
                _misses = 0;
                _shares += share;
                _lastSample = firstSample;
                return null;
            }

            if (_key is not null && ++_misses < MaximumMisses)
            {
                return null;
            }

            var released = End();
            if (key is not null)
            {
                (_key, _blocks, _misses, _shares, _firstSample, _lastSample) = (key, 1, 0, share, firstSample, firstSample);
            }

            return released;
        }

        /// <summary>Releases the key; null when none is held or it was too short to count.</summary>
        public TranscriptWord? End()
        {
            var word = _key is { } key && _blocks >= MinimumBlocks
                ? new TranscriptWord(
                    key.ToString(),
                    // The first and the last block that show a tone are filled by it to 70 %.
                    Seconds(_firstSample + (ToneDetector.BlockSamples * 3 / 10)),
                    Seconds(_lastSample + (ToneDetector.BlockSamples * 7 / 10)),
                    _shares / _blocks)
                : null;
            _key = null;
            return word;
        }
    }
}
