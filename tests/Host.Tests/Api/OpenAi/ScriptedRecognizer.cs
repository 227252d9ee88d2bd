using System.Collections.Concurrent;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>Gives the same two segments for any audio, one after the other, and remembers what it was asked.</summary>
internal sealed class ScriptedRecognizer : ISpeechRecognizer
{
    public static IReadOnlyList<TranscriptSegment> Segments { get; } =
    [
        Segment(0, 0, 1.5, " Hello there,", ("Hello", 0, 0.5), ("there,", 0.5, 1.5)),
        Segment(1, 1.5, 2.25, " world.", ("world.", 1.5, 2.25)),
    ];

    /// <summary>The second segment waits for this; open unless a test closes it.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);

    /// <summary>Completes when the first segment was told.</summary>
    public TaskCompletionSource FirstTold { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when a transcription was cancelled.</summary>
    public TaskCompletionSource WasCancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What is thrown in place of the second segment; null for nothing.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Options and samples of each transcription but the host's warm-up.</summary>
    public ConcurrentQueue<(TranscriptionOptions Options, long Samples)> Calls { get; } = new();

    public RecognizerInfo Info { get; } = new()
    {
        Name = "scripted",
        Backend = "test",
        SampleRateHz = 16000,
        Languages = ["en", "de"],
        Adapters = ["dialect"],
    };

    public TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        long samples = 0;
        var isSilent = true;
        var buffer = new float[4096];
        using (var reader = audio.OpenReader())
        {
            while (reader.Read(buffer) is > 0 and var count)
            {
                samples += count;
                isSilent &= !buffer.AsSpan(0, count).ContainsAnyExcept(0f);
            }
        }

        // The warm-up is a second of silence, and no file of these tests.
        if (isSilent && audio is MemoryAudioSource)
        {
            return new TranscriptionResult { Text = "", DurationSeconds = 1 };
        }

        Calls.Enqueue((options, samples));
        progress?.Invoke(new TranscriptionProgress(1.5, 2.25, [Segments[0]]));
        FirstTold.TrySetResult();
        try
        {
            Gate.Wait(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            WasCancelled.TrySetResult();
            throw;
        }

        if (Failure is { } failure)
        {
            throw failure;
        }

        progress?.Invoke(new TranscriptionProgress(2.25, 2.25, [Segments[1]]));
        return new TranscriptionResult
        {
            Text = " Hello there, world.",
            Language = options.Language ?? "en",
            DurationSeconds = 2.25,
            Segments = Segments,
        };
    }

    public void Dispose()
    {
    }

    private static TranscriptSegment Segment(int id, double start, double end, string text, params (string Text, double Start, double End)[] words) => new()
    {
        Id = id,
        Start = start,
        End = end,
        Text = text,
        Tokens = [50364 + id, 7, 8],
        Temperature = 0.2,
        AverageLogProbability = -0.25,
        CompressionRatio = 1.5,
        NoSpeechProbability = 0.125,
        Words = [.. words.Select(word => new TranscriptWord(" " + word.Text, word.Start, word.End, 0.5))],
    };
}
