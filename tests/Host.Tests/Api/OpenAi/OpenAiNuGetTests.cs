using System.ClientModel;
using AsrPlatform.Host.Tests.Live;
using OpenAI;
using OpenAI.Audio;
using OpenAI.Models;
using OpenAI.Realtime;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The real OpenAI package from NuGet.</summary>
public sealed class OpenAiNuGetTests : IAsyncLifetime
{
    private const string Text = "w1 w2 w3 w4";

    private OpenAiHost _host = null!;
    private AudioClient _audio = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private OpenAIClientOptions Options => new() { Endpoint = new Uri(_host.Url, "v1"), RetryPolicy = new System.ClientModel.Primitives.ClientRetryPolicy(0) };

    public async ValueTask InitializeAsync()
    {
        _host = await OpenAiHost.StartAsync(() => new ToneRecognizer { WordsPerSegment = 2 });
        _audio = new AudioClient("whisper-1", new ApiKeyCredential("none"), Options);
    }

    public async ValueTask DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task TranscribeAudio_InEachFormat_IsUnderstood()
    {
        foreach (var format in new[] { AudioTranscriptionFormat.Simple, AudioTranscriptionFormat.Verbose, AudioTranscriptionFormat.Text, AudioTranscriptionFormat.Srt, AudioTranscriptionFormat.Vtt })
        {
            AudioTranscription transcription = await _audio.TranscribeAudioAsync(Wav(), "a.wav", new AudioTranscriptionOptions { ResponseFormat = format, Language = "en" }, Cancelled);
            Assert.Contains("w1 w2", transcription.Text, StringComparison.Ordinal);
            if (format == AudioTranscriptionFormat.Verbose)
            {
                Assert.Equal(2, transcription.Segments.Count);
                Assert.Equal("english", transcription.Language);
                Assert.InRange(transcription.Duration!.Value.TotalSeconds, 1.6, 1.8);
            }
        }
    }

    [Fact]
    public async Task TranscribeAudio_WithWordsAndLogProbabilities_GivesThem()
    {
        AudioTranscription words = await _audio.TranscribeAudioAsync(
            Wav(),
            "a.wav",
            new AudioTranscriptionOptions { ResponseFormat = AudioTranscriptionFormat.Verbose, TimestampGranularities = AudioTimestampGranularities.Word, Temperature = 0, Prompt = "w1" },
            Cancelled);
        Assert.Equal(["w1", "w2", "w3", "w4"], words.Words.Select(word => word.Word));
        AudioTranscription logProbabilities = await _audio.TranscribeAudioAsync(Wav(), "a.wav", new AudioTranscriptionOptions { Includes = AudioTranscriptionIncludes.Logprobs }, Cancelled);
        Assert.Equal(4, logProbabilities.TranscriptionTokenLogProbabilities.Count);
    }

    [Fact]
    public async Task TranscribeAudioStreaming_GivesDeltasAndTheWhole()
    {
        var deltas = "";
        string? whole = null;

        // The package streams no whisper-1.
        var audio = new AudioClient("gpt-4o-transcribe", new ApiKeyCredential("none"), Options);
        await foreach (var update in await audio.TranscribeAudioStreamingAsync(Wav(), "a.wav", new AudioTranscriptionOptions(), Cancelled))
        {
            deltas += (update as StreamingAudioTranscriptionTextDeltaUpdate)?.Delta;
            whole = (update as StreamingAudioTranscriptionTextDoneUpdate)?.Text ?? whole;
        }

        Assert.Equal((Text, Text), (deltas, whole));
    }

    [Fact]
    public async Task TranslateAudio_IsUnderstood()
    {
        AudioTranslation translation = await _audio.TranslateAudioAsync(Wav(), "a.wav", cancellationToken: Cancelled);
        Assert.Equal(Text, translation.Text);
    }

    [Fact]
    public async Task Errors_AreClientResultExceptionsWithTheirMessage()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(() => _audio.TranscribeAudioAsync(new MemoryStream([1, 2, 3]), "a.mp3", cancellationToken: Cancelled));
        Assert.Equal(400, error.Status);
        Assert.Contains("is no audio", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_AreListed()
    {
        await _audio.TranscribeAudioAsync(Wav(), "a.wav", cancellationToken: Cancelled);
        OpenAIModelCollection models = await new OpenAIModelClient(new ApiKeyCredential("none"), Options).GetModelsAsync(Cancelled);
        Assert.Equal("tones", Assert.Single(models).Id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Realtime_TranscribesTurns(bool turnsByTheServer)
    {
        var endpoint = new UriBuilder(_host.Url) { Scheme = "ws", Path = "/v1" }.Uri;
        var client = new RealtimeClient(new ApiKeyCredential("none"), new RealtimeClientOptions { Endpoint = endpoint });
        using var session = await client.StartTranscriptionSessionAsync(cancellationToken: Cancelled);
        var input = new RealtimeTranscriptionSessionInputAudioOptions
        {
            AudioFormat = new RealtimePcmuAudioFormat(),
            AudioTranscriptionOptions = new RealtimeAudioTranscriptionOptions { Model = "gpt-4o-transcribe", Language = "en" },
        };
        if (turnsByTheServer)
        {
            input.TurnDetection = new RealtimeServerVadTurnDetection { SilenceDuration = TimeSpan.FromMilliseconds(500) };
        }
        else
        {
            input.DisableTurnDetection();
        }

        await session.ConfigureTranscriptionSessionAsync(
            new RealtimeTranscriptionSessionOptions { AudioOptions = new RealtimeTranscriptionSessionAudioOptions { InputAudioOptions = input } },
            Cancelled);

        // Tones that the telephone's code keeps apart, and a pause after them.
        await session.SendInputAudioAsync(new MemoryStream([.. RealtimeTests.Telephone("audio/pcmu", 2, 5), .. Enumerable.Repeat((byte)0xFF, 8000)]), Cancelled);
        if (!turnsByTheServer)
        {
            await session.CommitPendingAudioAsync(Cancelled);
        }

        var deltas = "";
        List<string> items = [];
        await foreach (var update in session.ReceiveUpdatesAsync(Cancelled))
        {
            switch (update)
            {
                case RealtimeServerUpdateError error:
                    Assert.Fail(error.Error.Message);
                    break;
                case RealtimeServerUpdateInputAudioBufferCommitted committed:
                    items.Add(committed.ItemId);
                    break;
                case RealtimeServerUpdateConversationItemInputAudioTranscriptionDelta delta:
                    deltas += delta.Delta;
                    break;
                case RealtimeServerUpdateConversationItemInputAudioTranscriptionCompleted completed:
                    Assert.Equal((Assert.Single(items), "w2 w5", "w2 w5"), (completed.ItemId, completed.Transcript, deltas));
                    Assert.InRange(Assert.IsType<RealtimeTranscriptionDurationUsage>(completed.Usage).Duration.TotalSeconds, 1, 2);
                    return;
            }
        }

        Assert.Fail("The session ended without a transcript.");
    }

    private static MemoryStream Wav() => new(AudioEndpointsTests.Wav(new SpokenAudio().Silence(0.5).Say(1, 2, 3, 4)));
}
