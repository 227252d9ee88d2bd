using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.TestPlugins.Good;

/// <summary>Loads <see cref="LoudnessRecognizer"/>.</summary>
public sealed class LoudnessBackend(Defect defect) : ISpeechRecognizerBackend
{
    public string Name => "loudness";

    public bool CanLoad(ModelLoadOptions options, out string? reason)
    {
        reason = null;
        return true;
    }

    public ISpeechRecognizer Load(ModelLoadOptions options, CancellationToken cancellationToken = default) => new LoudnessRecognizer(defect);
}

/// <summary>Says of each tenth of a second whether it was loud.</summary>
public sealed class LoudnessRecognizer(Defect defect) : ISpeechRecognizer
{
    private const int Rate = 16000;

    private bool _disposed;
    private int _calls;

    public RecognizerInfo Info { get; } = new()
    {
        Name = defect == Defect.InfoEmpty ? "" : "loudness",
        Backend = "loudness (cpu)",
        SampleRateHz = Rate,
    };

    public TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed && defect != Defect.UsableAfterDispose, this);
        _calls++;
        using var reader = audio.OpenReader();
        var block = new float[Rate / 10];
        var segments = new List<TranscriptSegment>();
        long done = 0;
        for (int count; (count = Fill(reader, block)) > 0; done += count)
        {
            if (defect != Defect.CancellationIgnored)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            var peak = 0f;
            foreach (var sample in block.AsSpan(0, count))
            {
                peak = Math.Max(peak, Math.Abs(sample));
            }

            if (peak == 0 && defect == Defect.SilenceThrows)
            {
                throw new DivideByZeroException();
            }

            if (peak > 0.1f)
            {
                var (start, end) = ((double)done / Rate, (double)(done + count) / Rate);
                var segment = new TranscriptSegment
                {
                    Id = segments.Count,
                    Start = defect == Defect.TimesUnordered ? 100 - start : start,
                    End = defect == Defect.TimesUnordered ? 100 - start + 0.1 : end,
                    Text = defect == Defect.StateKept ? $" loud{_calls}" : " loud",
                };
                segments.Add(segment);
                progress?.Invoke(new TranscriptionProgress(end, null, [segment]));
            }
        }

        return new TranscriptionResult
        {
            Text = string.Concat(segments.Select(segment => segment.Text)),
            DurationSeconds = (double)done / Rate,
            Segments = segments,
        };
    }

    public void Dispose() => _disposed = true;

    private static int Fill(IAudioReader reader, Span<float> block)
    {
        var filled = 0;
        for (int count; filled < block.Length && (count = reader.Read(block[filled..])) > 0; filled += count)
        {
        }

        return filled;
    }
}
