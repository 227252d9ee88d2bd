using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Cli.Soak;

/// <summary>Stands in for a model where none is at hand: writes a word for each burst of sound. It only shows that audio became captions.</summary>
internal sealed class BurstRecognizer : ISpeechRecognizer
{
    private const int RateHz = 16_000;
    private const int Frame = RateHz / 50;

    /// <summary>Louder than this is sound, −46 dBFS; this many silent frames (60 ms) end a burst.</summary>
    private const float Threshold = 0.005f;
    private const int Gap = 3;

    public RecognizerInfo Info { get; } = new() { Name = "stand-in", Backend = "none", SampleRateHz = RateHz, Languages = ["en"] };

    public TranscriptionResult Transcribe(
        IAudioSource audio, TranscriptionOptions options, Action<TranscriptionProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var words = new List<TranscriptWord>();
        var frame = new float[Frame];
        var (index, start, quiet) = (0, -1, 0);
        using var reader = audio.OpenReader();
        for (int filled; (filled = Fill(reader, frame)) > 0; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var loud = frame.AsSpan(0, filled).ContainsAnyExceptInRange(-Threshold, Threshold);
            quiet = loud ? 0 : quiet + 1;
            if (loud && start < 0)
            {
                start = index;
            }
            else if (start >= 0 && quiet >= Gap)
            {
                Add(index + 1 - quiet);
            }
        }

        if (start >= 0)
        {
            Add(index);
        }

        var text = string.Concat(words.Select(word => word.Word));
        return new TranscriptionResult
        {
            Text = text,
            Language = "en",
            DurationSeconds = (double)index * Frame / RateHz,
            Segments = words.Count == 0 ? [] : [new TranscriptSegment { Id = 0, Start = words[0].Start, End = words[^1].End, Text = text, Words = words }],
        };

        void Add(int end)
        {
            words.Add(new TranscriptWord(" sound", (double)start * Frame / RateHz, (double)end * Frame / RateHz, 0.5));
            start = -1;
        }
    }

    public void Dispose()
    {
    }

    private static int Fill(IAudioReader reader, Span<float> samples)
    {
        var count = 0;
        while (count < samples.Length && reader.Read(samples[count..]) is > 0 and var read)
        {
            count += read;
        }

        return count;
    }
}
