using System.Net.WebSockets;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Audio;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The Realtime WebSocket, event by event.</summary>
public sealed class RealtimeTests : IAsyncLifetime
{
    private const string Delta = "conversation.item.input_audio_transcription.delta";
    private const string Completed = "conversation.item.input_audio_transcription.completed";

    private readonly ToneRecognizer _recognizer = new();
    private OpenAiHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await OpenAiHost.StartAsync(
        () => _recognizer,
        dataDirectory: null,
        new("OpenAi:MaximumMessageBytes", "65536"),
        new("OpenAi:MaximumBufferedAudio", "00:00:05"));

    public async ValueTask DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Connect_TellsTheSessionInOpenAisShape()
    {
        await using var client = await RealtimeSocket.ConnectAsync(_host.Url, "model=whisper-1", protocol: "realtime");
        var session = (await client.NextAsync("session.created"))["session"]!;
        Assert.Equal(("transcription", "realtime.transcription_session"), ((string)session["type"]!, (string)session["object"]!));
        Assert.Equal(
            """{"format":{"type":"audio/pcm","rate":24000},"transcription":{"model":"whisper-1"},"noise_reduction":null,"turn_detection":{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":500}}""",
            session["audio"]!["input"]!.ToJsonString());
    }

    [Theory]
    [InlineData("intent=conversation", null)]
    [InlineData("model=nonsense", null)]
    [InlineData("intent=transcription", "http://elsewhere.example")]
    public async Task Connect_ForWhatTheHostDoesNotDo_IsRefused(string query, string? origin) =>
        await Assert.ThrowsAsync<WebSocketException>(() => RealtimeSocket.ConnectAsync(_host.Url, query, origin: origin));

    [Fact]
    public async Task TurnsByTheServer_AreToldInOrder()
    {
        await using var client = await ConnectAsync();
        await client.AppendAsync(Pcm(new SpokenAudio().Silence(1).Say(1, 2).Silence(1).Say(3).Silence(1)), 32000);
        var events = await client.UntilAsync(Completed, count: 2);
        var items = events.Where(one => Type(one) == "input_audio_buffer.speech_started").Select(one => (string)one["item_id"]!).ToList();
        Assert.Equal(2, items.Distinct().Count());

        foreach (var (item, previous, transcript, deltas) in new[] { (items[0], null, "w1 w2", 1), (items[1], items[0], "w3", 1) })
        {
            var own = events.Where(one => (string?)(one["item_id"] ?? one["item"]?["id"]) == item).ToList();
            var types = own.Select(Type).ToList();
            Assert.Equal(
                ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"],
                types.Where(type => type != Delta && type != Completed));
            Assert.Equal(Completed, types[^1]);
            Assert.InRange(types.Count(type => type == Delta), 1, 5);
            Assert.Equal(transcript, string.Concat(own.Where(one => Type(one) == Delta).Select(one => (string)one["delta"]!)));
            Assert.Equal(transcript, (string)own[^1]["transcript"]!);
            Assert.Equal("duration", (string)own[^1]["usage"]!["type"]!);
            Assert.All(own.Where(one => one.AsObject().ContainsKey("previous_item_id")), one => Assert.Equal(previous, (string?)one["previous_item_id"]));
        }

        // 300 ms before the first word, 500 ms after the last, to a frame of voice activity.
        var started = events.First(one => Type(one) == "input_audio_buffer.speech_started");
        Assert.InRange((int)started["audio_start_ms"]!, 660, 740);
        var stopped = events.First(one => Type(one) == "input_audio_buffer.speech_stopped");
        Assert.InRange((int)stopped["audio_end_ms"]!, 1950, 2150);
    }

    [Fact]
    public async Task LongTurn_IsToldWhileItLasts_AndDeltasAreItsTranscript()
    {
        // Sessions commit what a longest window holds: 5 s here.
        await using var host = await OpenAiHost.StartAsync(() => new ToneRecognizer { WordsPerSegment = 2 }, dataDirectory: null, new KeyValuePair<string, string?>("Live:MaximumWindow", "00:00:05"));
        await using var client = await ConnectAsync(host);
        var words = Enumerable.Range(1, 30).ToArray();
        await client.AppendAsync(Pcm(new SpokenAudio().Say(words)), 32000);
        var early = await client.UntilAsync(Delta);
        Assert.DoesNotContain(early, one => Type(one) == "input_audio_buffer.speech_stopped");
        await client.AppendAsync(Pcm(new SpokenAudio().Silence(1)), 32000);
        var events = early.Concat(await client.UntilAsync(Completed)).ToList();
        Assert.Equal(SpokenAudio.Text(words), (string)events[^1]["transcript"]!);
        Assert.Equal(SpokenAudio.Text(words), string.Concat(events.Where(one => Type(one) == Delta).Select(one => (string)one["delta"]!)));
    }

    [Fact]
    public async Task ManualCommits_MakeItems_AndWhatIsClearedIsNeverDecoded()
    {
        await using var client = await ConnectAsync(turnDetection: false);
        await client.AppendAsync(Pcm(new SpokenAudio().Say(9)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.clear" });
        await client.NextAsync("input_audio_buffer.cleared");

        string? previous = null;
        foreach (var word in new[] { 4, 5 })
        {
            await client.AppendAsync(Pcm(new SpokenAudio().Say(word)), 32000);
            await client.SendAsync(new { type = "input_audio_buffer.commit" });
            var committed = await client.NextAsync("input_audio_buffer.committed");
            Assert.Equal(previous, (string?)committed["previous_item_id"]);
            previous = (string)committed["item_id"]!;
            Assert.Equal("message", (string)(await client.NextAsync("conversation.item.added"))["item"]!["type"]!);
            await client.NextAsync("conversation.item.done");
            Assert.Equal($"w{word}", (string)(await client.NextAsync(Delta))["delta"]!);
            var completed = await client.NextAsync(Completed);
            Assert.Equal((previous, $"w{word}", 0), ((string)completed["item_id"]!, (string)completed["transcript"]!, (int)completed["content_index"]!));
        }

        Assert.DoesNotContain(_recognizer.Calls, call => call.Text.Contains("w9", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Commit_OfSilence_IsAnItemWithoutText()
    {
        await using var client = await ConnectAsync(turnDetection: false);
        await client.AppendAsync(Pcm(new SpokenAudio().Silence(0.5)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        Assert.Equal("", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Fact]
    public async Task CommitByTheClient_InTheMiddleOfATurn_EndsIt()
    {
        await using var client = await ConnectAsync();
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1, 2)), 32000);
        var started = await client.NextAsync("input_audio_buffer.speech_started");
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        var completed = (await client.UntilAsync(Completed))[^1];
        Assert.Equal(((string)started["item_id"]!, "w1 w2"), ((string)completed["item_id"]!, (string)completed["transcript"]!));
    }

    [Fact]
    public async Task Clear_InTheMiddleOfATurn_ForgetsIt()
    {
        await using var client = await ConnectAsync();
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1)), 32000);
        await client.NextAsync("input_audio_buffer.speech_started");
        await client.SendAsync(new { type = "input_audio_buffer.clear" });
        await client.NextAsync("input_audio_buffer.cleared");
        await client.AppendAsync(Pcm(new SpokenAudio().Silence(1).Say(2).Silence(1)), 32000);
        Assert.Equal("w2", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Theory]
    [InlineData("audio/pcmu")]
    [InlineData("audio/pcma")]
    public async Task TelephoneAudio_IsUnderstood(string format)
    {
        await using var client = await ConnectAsync(format: new { type = format }, turnDetection: false);
        await client.AppendAsync(Telephone(format, 2, 5), 8000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        Assert.Equal("w2 w5", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Fact]
    public async Task Audio_AtOpenAisRate_IsResampledWithoutASeam()
    {
        await using var client = await ConnectAsync(format: new { type = "audio/pcm", rate = 24000 }, turnDetection: false);
        var bytes = WavBytes.OfInt16([.. Tones(24000, 1, 2, 3, 4)]);
        await client.AppendAsync(bytes, 47_980);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        Assert.Equal("w1 w2 w3 w4", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Fact]
    public async Task LogProbabilities_WhenIncluded_ComeWithDeltaAndTranscript()
    {
        await using var client = await ConnectAsync(turnDetection: false, include: ["item.input_audio_transcription.logprobs"]);
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1, 2)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        var events = await client.UntilAsync(Completed);
        Assert.Equal(["w1", "w2"], events[^1]["logprobs"]!.AsArray().Select(one => (string)one!["token"]!));
        Assert.Equal(2, events[^2]["logprobs"]!.AsArray().Count);
    }

    [Fact]
    public async Task Beta_Updates_AreAnsweredInTheirShape()
    {
        await using var client = await RealtimeSocket.ConnectAsync(_host.Url, protocol: "openai-beta.realtime-v1");
        await client.NextAsync("transcription_session.created");
        await client.SendAsync(new
        {
            type = "transcription_session.update",
            session = new { input_audio_format = "g711_ulaw", input_audio_transcription = new { model = "whisper-1", language = "de", prompt = "Ada", hotwords = new[] { "Grace" } }, turn_detection = (object?)null },
        });
        var session = (await client.NextAsync("transcription_session.updated"))["session"]!;
        Assert.Equal("g711_ulaw", (string)session["input_audio_format"]!);
        Assert.Equal("""{"model":"whisper-1","language":"de","prompt":"Ada","hotwords":["Grace"]}""", session["input_audio_transcription"]!.ToJsonString());
        Assert.Null(session["turn_detection"]);
    }

    [Theory]
    [InlineData("this is no JSON", "invalid_json", null)]
    [InlineData("[1,2]", "invalid_event", null)]
    [InlineData("{}", "missing_required_parameter", "type")]
    [InlineData("""{"type":"response.create","event_id":"mine"}""", "invalid_value", "type")]
    [InlineData("""{"type":"session.update","event_id":"mine"}""", "missing_required_parameter", "session")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"type":"realtime"}}""", "invalid_value", "session.type")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"format":{"type":"audio/mp3"}}}}}""", "invalid_value", "session.audio.input.format.type")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"format":{"type":"audio/pcm","rate":1}}}}}""", "invalid_value", "session.audio.input.format.rate")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"turn_detection":{"type":"semantic_vad"}}}}}""", "invalid_value", "session.audio.input.turn_detection.type")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"turn_detection":{"silence_duration_ms":"long"}}}}}""", "invalid_value", "session.audio.input.turn_detection.silence_duration_ms")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"transcription":{"model":"nonsense"}}}}}""", "model_not_found", "model")]
    [InlineData("""{"type":"session.update","event_id":"mine","session":{"audio":{"input":{"transcription":{"language":"fr"}}}}}""", "invalid_value", "session.audio.input.transcription.language")]
    [InlineData("""{"type":"input_audio_buffer.append","event_id":"mine"}""", "missing_required_parameter", "audio")]
    [InlineData("""{"type":"input_audio_buffer.append","event_id":"mine","audio":7}""", "invalid_value", "audio")]
    [InlineData("""{"type":"input_audio_buffer.append","event_id":"mine","audio":"***"}""", "invalid_value", "audio")]
    [InlineData("""{"type":"input_audio_buffer.append","event_id":"mine","audio":"AAAA"}""", "invalid_value", "audio")]
    [InlineData("""{"type":"input_audio_buffer.commit","event_id":"mine"}""", "input_audio_buffer_commit_empty", null)]
    public async Task Malformed_Events_GiveOneErrorEachAndHarmNothing(string text, string code, string? param)
    {
        await using var client = await ConnectAsync();
        await client.SendTextAsync(text);
        var error = (await client.NextAsync("error"))["error"]!;
        Assert.Equal(["type", "code", "message", "param", "event_id"], error.AsObject().Select(member => member.Key));
        Assert.Equal(("invalid_request_error", code, param), ((string)error["type"]!, (string)error["code"]!, (string?)error["param"]));
        Assert.Equal(text.Contains("mine", StringComparison.Ordinal) ? "mine" : null, (string?)error["event_id"]);
        await AssertWorksAsync(client);
    }

    [Fact]
    public async Task Messages_ThatAreTooLargeOrBinary_GiveOneErrorEachAndHarmNothing()
    {
        await using var client = await ConnectAsync();
        await client.SendTextAsync(new string('x', 200_000));
        Assert.Equal("event_too_large", (string)(await client.NextAsync("error"))["error"]!["code"]!);
        await client.SendTextAsync("{}", WebSocketMessageType.Binary);
        Assert.Equal("invalid_event", (string)(await client.NextAsync("error"))["error"]!["code"]!);
        await AssertWorksAsync(client);
    }

    [Fact]
    public async Task Append_MoreThanTheBufferHolds_IsRefusedUntilItIsCleared()
    {
        await using var client = await ConnectAsync(turnDetection: false);
        for (var second = 0; second < 5; second++)
        {
            await client.AppendAsync(Pcm(new SpokenAudio().Silence(1)), 32000);
        }

        await client.AppendAsync(Pcm(new SpokenAudio().Silence(0.1)), 32000);
        Assert.Equal("input_audio_buffer_full", (string)(await client.NextAsync("error"))["error"]!["code"]!);
        await client.SendAsync(new { type = "session.update", session = new { audio = new { input = new { turn_detection = new { type = "server_vad" } } } } });
        Assert.Equal("input_audio_buffer_not_empty", (string)(await client.NextAsync("error"))["error"]!["code"]!);
        await client.SendAsync(new { type = "input_audio_buffer.clear" });
        await client.NextAsync("input_audio_buffer.cleared");
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        Assert.Equal("w1", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Fact]
    public async Task Recogniser_ThatBreaks_FailsTheTurnAndTheNextOneWorks()
    {
        await using var host = await OpenAiHost.StartAsync(() => new ToneRecognizer { PoisonWord = 7 });
        await using var client = await ConnectAsync(host, turnDetection: false);
        await client.AppendAsync(Pcm(new SpokenAudio().Say(7)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        var failed = (await client.UntilAsync("conversation.item.input_audio_transcription.failed"))[^1];
        Assert.Contains("the host's log says more", (string)failed["error"]!["message"]!, StringComparison.Ordinal);
        await client.AppendAsync(Pcm(new SpokenAudio().Say(8)), 32000);
        await client.SendAsync(new { type = "input_audio_buffer.commit" });
        Assert.Equal("w8", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    [Fact]
    public async Task Client_ThatLeaves_HasWhatItSaidCommittedForTheViewersOfItsSession()
    {
        await using var client = await ConnectAsync();
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1, 2)), 32000);
        await client.NextAsync("input_audio_buffer.speech_started");

        // Taken before it ends: an ended session leaves memory.
        var session = Assert.Single(_host.App.Services.GetRequiredService<LiveSessionStore>().Sessions);
        await client.CloseAsync();
        Assert.Equal("w1 w2", Assert.Single(await LiveHarness.WatchAsync(session), caption => caption.State == Abstractions.Captions.CaptionState.Committed).Text);
        Assert.Equal(SessionState.Ended, session.State);
    }

    /// <summary>Words in a telephone's code: of each sample the nearest that it has.</summary>
    internal static byte[] Telephone(string format, params int[] words)
    {
        Func<byte, int> decode = format == "audio/pcmu" ? PcmReader.FromMuLaw : PcmReader.FromALaw;
        var codes = Enumerable.Range(0, 256).Select(code => (Code: (byte)code, Sample: decode((byte)code))).ToArray();
        return [.. Tones(8000, words).Select(sample => codes.MinBy(code => Math.Abs(code.Sample - sample)).Code)];
    }

    [Fact]
    public async Task Host_ThatStops_CommitsWhatWasSaidAndEndsTheConnection()
    {
        await using var client = await ConnectAsync();
        await client.AppendAsync(Pcm(new SpokenAudio().Say(1, 2)), 32000);

        // Events are answered in order: with the answer to this one all audio has been taken.
        await client.SendTextAsync("{}");
        while (Type(await client.NextAsync()) != "error")
        {
        }

        var session = Assert.Single(_host.App.Services.GetRequiredService<LiveSessionStore>().Sessions);
        await _host.App.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(SessionState.Ended, session.State);
        Assert.Equal("w1 w2", string.Join(' ', session.Captions.Select(caption => caption.Text)));
    }

    private static string Type(JsonNode data) => (string)data["type"]!;

    private static byte[] Pcm(SpokenAudio audio) => WavBytes.OfInt16(audio.Samples);

    /// <summary>The words of <see cref="SpokenAudio"/> as sines, which survive a change of the sample rate.</summary>
    private static IEnumerable<short> Tones(int sampleRateHz, params int[] words) => words.SelectMany(word => Enumerable
        .Range(0, sampleRateHz * 3 / 10)
        .Select(i => i < sampleRateHz / 5 ? (short)(((word + 8) * 512 - 1) * Math.Sin(2 * Math.PI * 1000 * i / sampleRateHz)) : (short)0));

    private static async Task AssertWorksAsync(RealtimeSocket client)
    {
        await client.AppendAsync(Pcm(new SpokenAudio().Silence(0.5).Say(1).Silence(1)), 32000);
        Assert.Equal("w1", (string)(await client.UntilAsync(Completed))[^1]["transcript"]!);
    }

    private Task<RealtimeSocket> ConnectAsync(object? format = null, bool turnDetection = true, string[]? include = null) =>
        ConnectAsync(_host, format, turnDetection, include);

    /// <summary>A client that sends 16 kHz unless it says otherwise: the test's words are exact there.</summary>
    private static async Task<RealtimeSocket> ConnectAsync(OpenAiHost host, object? format = null, bool turnDetection = true, string[]? include = null)
    {
        var client = await RealtimeSocket.ConnectAsync(host.Url);
        await client.NextAsync("session.created");
        await client.SendAsync(new
        {
            type = "session.update",
            session = new
            {
                type = "transcription",
                audio = new
                {
                    input = new
                    {
                        format = format ?? new { type = "audio/pcm", rate = 16000 },
                        transcription = new { model = "whisper-1", language = "en" },
                        turn_detection = turnDetection ? new { type = "server_vad" } : null,
                    },
                },
                include = include ?? [],
            },
        });
        await client.NextAsync("session.updated");
        return client;
    }
}
