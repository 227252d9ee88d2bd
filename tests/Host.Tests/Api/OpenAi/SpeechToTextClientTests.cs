using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The platform as .NET's <see cref="ISpeechToTextClient"/>.</summary>
public sealed class SpeechToTextClientTests : IAsyncLifetime
{
    private readonly ScriptedRecognizer _recognizer = new();
    private OpenAiHost _host = null!;
    private ISpeechToTextClient _client = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await OpenAiHost.StartAsync(() => _recognizer);
        _client = _host.App.Services.GetRequiredService<ISpeechToTextClient>();
    }

    public async ValueTask DisposeAsync()
    {
        _recognizer.Gate.Set();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task GetText_GivesTheTranscriptAndWhatItCameFrom()
    {
        var response = await _client.GetTextAsync(Audio(), new SpeechToTextOptions { SpeechLanguage = "de-AT", TextLanguage = "en", ModelId = "whisper-1" }, Cancelled);
        Assert.Equal("Hello there, world.", response.Text);
        Assert.Equal(("scripted", TimeSpan.FromSeconds(2.25)), (response.ModelId, response.EndTime));
        Assert.IsType<TranscriptionResult>(response.RawRepresentation);
        var options = _recognizer.Calls.Single().Options;
        Assert.Equal(("de", TranscriptionTask.Translate), (options.Language, options.Task));
    }

    [Fact]
    public async Task GetStreamingText_GivesEachSegmentWhenItIsKnown()
    {
        _recognizer.Gate.Reset();
        await using var updates = _client.GetStreamingTextAsync(Audio(), cancellationToken: Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal(SpeechToTextResponseUpdateKind.SessionOpen, updates.Current.Kind);
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal((SpeechToTextResponseUpdateKind.TextUpdated, " Hello there,", TimeSpan.FromSeconds(1.5)), (updates.Current.Kind, updates.Current.Text, updates.Current.EndTime));
        _recognizer.Gate.Set();
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal(" world.", updates.Current.Text);
        Assert.True(await updates.MoveNextAsync());
        Assert.Equal(SpeechToTextResponseUpdateKind.SessionClose, updates.Current.Kind);
        Assert.False(await updates.MoveNextAsync());
    }

    [Fact]
    public async Task GetStreamingText_WhenItsReaderLeaves_StopsTheWork()
    {
        _recognizer.Gate.Reset();
        await foreach (var update in _client.GetStreamingTextAsync(Audio(), cancellationToken: Cancelled))
        {
            if (update.Kind == SpeechToTextResponseUpdateKind.TextUpdated)
            {
                break;
            }
        }

        Assert.True(_recognizer.WasCancelled.Task.IsCompleted);
    }

    [Fact]
    public async Task GetText_OfWhatItCannotDo_SaysWhy()
    {
        Assert.Contains("English is the only language", (await Assert.ThrowsAsync<AsrException>(() => _client.GetTextAsync(Audio(), new SpeechToTextOptions { SpeechLanguage = "en", TextLanguage = "de" }, Cancelled))).Message, StringComparison.Ordinal);
        Assert.Contains("'nonsense' does not exist", (await Assert.ThrowsAsync<AsrException>(() => _client.GetTextAsync(Audio(), new SpeechToTextOptions { ModelId = "nonsense" }, Cancelled))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AsrException>(() => _client.GetTextAsync(new MemoryStream([1, 2, 3]), cancellationToken: Cancelled));
    }

    [Fact]
    public async Task GetService_GivesItsMetadata()
    {
        await _client.GetTextAsync(Audio(), cancellationToken: Cancelled);
        var metadata = _client.GetService<SpeechToTextClientMetadata>()!;
        Assert.Equal(("asrplatform", "scripted"), (metadata.ProviderName, metadata.DefaultModelId));
    }

    private static MemoryStream Audio() => new(AudioEndpointsTests.Wav(new Live.SpokenAudio().Say(1, 2)));
}
