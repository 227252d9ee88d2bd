using System.Collections.Concurrent;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Reads <see cref="SpokenAudio"/>: exact, deterministic, from the samples alone.</summary>
internal sealed class ToneRecognizer : ISpeechRecognizer
{
    private const int Hop = SpokenAudio.SampleRateHz / 100;

    /// <summary>Words per transcript segment; 0: all words are one segment.</summary>
    public int WordsPerSegment { get; init; }

    /// <summary>Decoding audio that holds this word throws.</summary>
    public int? PoisonWord { get; init; }

    /// <summary>What the poisoned word throws.</summary>
    public Func<Exception> Poison { get; init; } = () => new InvalidOperationException("engine broke");

    /// <summary>How words are rightly written; they are so when that is preferred.</summary>
    public IReadOnlyDictionary<int, string> Meant { get; init; } = new Dictionary<int, string>();

    /// <summary>Decoding waits here; open unless a test closes it.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);

    /// <summary>Text and length in samples of every decoding, in order.</summary>
    public ConcurrentQueue<(string Text, int Samples)> Calls { get; } = new();

    /// <summary>Decodings begun.</summary>
    public int Begun { get; private set; }

    public HashSet<int> Threads { get; } = [];

    public bool IsDisposed { get; private set; }

    public RecognizerInfo Info { get; } = new()
    {
        Name = "tones",
        Backend = "test",
        SampleRateHz = SpokenAudio.SampleRateHz,
        Languages = ["en", "de"],
    };

    public TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        Threads.Add(Environment.CurrentManagedThreadId);
        Begun++;
        var samples = new float[audio.LengthSamples!.Value];
        using (var reader = audio.OpenReader())
        {
            for (int count, at = 0; at < samples.Length; at += count)
            {
                count = reader.Read(samples.AsSpan(at));
                Assert.NotEqual(0, count);
            }
        }

        Gate.Wait(cancellationToken);
        var words = new List<TranscriptWord>();
        float height = 0;
        var start = 0;
        for (var at = 0; at + Hop <= samples.Length + Hop; at += Hop)
        {
            var hop = at + Hop <= samples.Length ? samples.AsSpan(at, Hop) : [];
            var level = 0f;
            foreach (var sample in hop)
            {
                level = Math.Max(level, Math.Abs(sample));
            }

            if (level > 0.05f && height == 0)
            {
                start = at;
            }

            if (level <= 0.05f && height > 0 && at - start >= 3 * Hop)
            {
                var word = (int)Math.Round(height * 64) - 8;
                if (word == PoisonWord)
                {
                    throw Poison();
                }

                var written = Meant.TryGetValue(word, out var meant) && options.Bias?.Phrases.Contains(meant) == true ? meant : SpokenAudio.Name(word);
                words.Add(new TranscriptWord(" " + written, Seconds(start), Seconds(at), 0.9));
            }

            height = level > 0.05f ? Math.Max(height, level) : 0;
        }

        var text = string.Concat(words.Select(word => word.Word));
        Calls.Enqueue((text.Trim(), samples.Length));
        var groups = WordsPerSegment == 0 ? (words.Count == 0 ? [] : [[.. words]]) : words.Chunk(WordsPerSegment).ToArray();
        return new TranscriptionResult
        {
            Text = text,
            Language = options.Language ?? "en",
            DurationSeconds = Seconds(samples.Length),
            Segments =
            [
                .. groups.Select((group, index) => new TranscriptSegment
                {
                    Id = index,
                    Start = group[0].Start,
                    End = group[^1].End,
                    Text = string.Concat(group.Select(word => word.Word)),
                    Words = group,
                }),
            ],
        };
    }

    public void Dispose()
    {
        IsDisposed = true;
        Threads.Add(Environment.CurrentManagedThreadId);
    }

    /// <summary>An error of the kind that names what the user can do.</summary>
    public static Exception UserError() => new AsrException("the audio is unusable");

    private static double Seconds(int samples) => (double)samples / SpokenAudio.SampleRateHz;
}
