using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>What a client should not send: one clear error for each, and a session beside it hears and commits all that is said to it.</summary>
public sealed class MalformedInputTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Frames that are none close their own connection, with the reason.</summary>
    [Theory]
    [InlineData("nonsense", "Error reading JSON")]
    [InlineData("{", "Error reading JSON")]
    [InlineData("[]", "Expected a JSON Object")]
    [InlineData("""{"type":"one"}""", "Expected 'type' to be of type Number")]
    [InlineData("""{"type":1,"target":"EndSession"}""", "Missing required property 'arguments'")]
    [InlineData("""{"type":1,"invocationId":"1","target":"StartSession","arguments":[{"sampleRateHz":NaN}]}""", "Error reading JSON")]
    [InlineData("""{"type":4,"invocationId":"1","target":"WatchCaptions","arguments":["x",Infinity]}""", "Error reading JSON")]
    public async Task Frame_ThatIsMalformed_ClosesItsConnectionWithTheReason(string frame, string reason)
    {
        await using var beside = await Beside.StartAsync();
        await using var hub = await beside.Host.OpenRawAsync();
        await hub.SendAsync(frame);
        var close = JsonNode.Parse((await hub.ReceiveAsync())!)!;
        Assert.Equal(7, (int)close["type"]!);
        Assert.Contains(reason, (string)close["error"]!, StringComparison.Ordinal);
        Assert.Null(await hub.ReceiveAsync());
        await beside.AssertUnharmedAsync();
    }

    [Fact]
    public async Task Frame_ThatIsHuge_ClosesItsConnectionWithTheLimit()
    {
        await using var beside = await Beside.StartAsync();
        await using var hub = await beside.Host.OpenRawAsync();
        await hub.SendAsync(System.Text.Encoding.UTF8.GetBytes("{\"type\":2,\"invocationId\":\"1\",\"item\":\"" + new string('A', 70_000)));
        Assert.Contains("The maximum message size of 65536B was exceeded", (string)JsonNode.Parse((await hub.ReceiveAsync())!)!["error"]!, StringComparison.Ordinal);
        Assert.Null(await hub.ReceiveAsync());
        await beside.AssertUnharmedAsync();
    }

    /// <summary>Calls that cannot be made leave their connection as it is.</summary>
    [Theory]
    [InlineData("StartSession", """{"sampleRateHz":0}""", "8000 to 192000")]
    [InlineData("StartSession", """{"sampleRateHz":-16000}""", "8000 to 192000")]
    [InlineData("StartSession", """{"sampleRateHz":192001}""", "8000 to 192000")]
    [InlineData("StartSession", """{"sampleRateHz":1e300}""", "Error binding arguments")]
    [InlineData("StartSession", """{"sampleRateHz":16000.5}""", "Error binding arguments")]
    [InlineData("StartSession", """{"sampleRateHz":"NaN"}""", "Error binding arguments")]
    [InlineData("StartSession", """{"sessionId":"../../etc/passwd"}""", "a session id has 1 to 64")]
    [InlineData("StartSession", """{"task":"sing"}""", "unknown task 'sing'")]
    [InlineData("StartSession", "7", "Error binding arguments")]
    [InlineData("EndSession", "null", "there is no session ''")]
    [InlineData("EndSession", "\"nobody\"", "there is no session 'nobody'")]
    [InlineData("SubmitCorrection", "null", "a correction is needed")]
    [InlineData("SubmitCorrection", """{"id":"1"}""", "Error binding arguments")]
    [InlineData("SubmitCorrection", """{"id":"1","sessionId":"beside","segmentId":9999,"sequence":1,"text":"x"}""", "no segment 9999")]
    [InlineData("SubmitCorrection", """{"id":"1","sessionId":"beside","segmentId":1e999,"sequence":1,"text":"x"}""", "Error binding arguments")]
    [InlineData("Nothing", "1", "Method does not exist")]
    [InlineData("Dispose", "", "Method does not exist")]
    public async Task Call_ThatCannotBeMade_IsAnErrorAndTheConnectionLives(string method, string argument, string reason)
    {
        await using var beside = await Beside.StartAsync();
        await using var hub = await beside.Host.OpenRawAsync();
        await hub.SendAsync($$"""{"type":1,"invocationId":"1","target":"{{method}}","arguments":[{{argument}}]}""");
        var answer = JsonNode.Parse((await hub.ReceiveAsync())!)!;
        Assert.Equal((3, "1"), ((int)answer["type"]!, (string)answer["invocationId"]!));
        Assert.Contains(reason, (string)answer["error"]!, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", (string)answer["error"]!, StringComparison.Ordinal);
        await hub.SendAsync("""{"type":1,"invocationId":"2","target":"StartSession","arguments":[{}]}""");
        Assert.Equal(0, (long)JsonNode.Parse((await hub.ReceiveAsync())!)!["result"]!["acknowledgedSamples"]!);
        await beside.AssertUnharmedAsync();
    }

    /// <summary>Streams of audio that are wrong end with a reason; their session keeps what was good and can go on from there.</summary>
    [Theory]
    [InlineData(-1, "\"AAAA\"", "the audio starts at sample -1")]
    [InlineData(1, "\"AAAA\"", "send from 0")]
    [InlineData(9223372036854775807, "\"AAAA\"", "send from 0")]
    [InlineData(-9223372036854775808, "\"AAAA\"", "send from 0")]
    [InlineData(0, "\"AAA=\",\"AAAA\"", "a chunk of audio holds 3 bytes")]
    [InlineData(0, "\"AA==\"", "a chunk of audio holds 1 bytes")]
    [InlineData(0, "\"not base64!\"", "not valid base64")]
    [InlineData(0, "\"AAAAA\"", "not valid base64")]
    [InlineData(0, "null", "may hold 16384 bytes at most")]
    [InlineData(0, "{}", "could not be converted")]
    [InlineData(0, "12", "could not be converted")]
    [InlineData(0, "[\"AAAA\"]", "could not be converted")]
    public async Task Audio_ThatIsWrong_EndsItsStreamWithTheReason(long offset, string items, string reason)
    {
        await using var beside = await Beside.StartAsync();
        await using var hub = await beside.Host.OpenRawAsync();
        await hub.SendAsync("""{"type":1,"invocationId":"1","target":"StartSession","arguments":[{"sessionId":"odd"}]}""");
        await hub.ReceiveAsync();
        await hub.SendAsync($$"""{"type":4,"invocationId":"2","target":"StreamAudio","arguments":["odd",{{offset}}],"streamIds":["s"]}""");
        foreach (var item in JsonNode.Parse($"[{items}]")!.AsArray())
        {
            await hub.SendAsync($$"""{"type":2,"invocationId":"s","item":{{item?.ToJsonString() ?? "null"}}}""");
        }

        var answer = await CompletionAsync(hub, "2");
        Assert.Contains(reason, (string)answer["error"]!, StringComparison.Ordinal);
        var from = beside.Host.Sessions.Get("odd").Position.AcknowledgedSamples;
        await hub.SendAsync($$"""{"type":4,"invocationId":"3","target":"StreamAudio","arguments":["odd",{{from}}],"streamIds":["t"]}""");
        await hub.SendAsync("""{"type":2,"invocationId":"t","item":"AAAA"}"""); // 3 bytes: one too many
        await CompletionAsync(hub, "3");
        await hub.SendAsync($$"""{"type":4,"invocationId":"4","target":"StreamAudio","arguments":["odd",{{from}}],"streamIds":["u"]}""");
        await hub.SendAsync("""{"type":2,"invocationId":"u","item":"AAAAAA=="}""");
        await hub.SendAsync("""{"type":3,"invocationId":"u"}""");
        Assert.Null((await CompletionAsync(hub, "4"))["error"]);
        Assert.Equal(from + 2, beside.Host.Sessions.Get("odd").Position.AcknowledgedSamples);
        await beside.AssertUnharmedAsync();
    }

    [Fact]
    public async Task Messages_InTheWrongOrder_AreErrorsOrNothing()
    {
        await using var beside = await Beside.StartAsync();
        await using var hub = await beside.Host.OpenRawAsync();

        // Items and the end of a stream that nobody opened, an answer that nobody asked for, a cancellation of nothing, audio for nobody.
        await hub.SendAsync("""{"type":2,"invocationId":"none","item":"AAAA"}""");
        await hub.SendAsync("""{"type":5,"invocationId":"none"}""");
        await hub.SendAsync("""{"type":4,"invocationId":"1","target":"StreamAudio","arguments":["nobody",0],"streamIds":["s"]}""");
        Assert.Contains("there is no session 'nobody'", (string)(await CompletionAsync(hub, "1"))["error"]!, StringComparison.Ordinal);
        await hub.SendAsync("""{"type":4,"invocationId":"2","target":"WatchCaptions","arguments":["nobody",0]}""");
        Assert.Contains("there is no session 'nobody'", (string)(await CompletionAsync(hub, "2"))["error"]!, StringComparison.Ordinal);

        // Audio after the end, and an end after the end.
        await hub.SendAsync("""{"type":1,"invocationId":"3","target":"StartSession","arguments":[{"sessionId":"over"}]}""");
        await hub.ReceiveAsync();
        await hub.SendAsync("""{"type":1,"invocationId":"4","target":"EndSession","arguments":["over"]}""");
        Assert.Null((await CompletionAsync(hub, "4"))["error"]);
        await hub.SendAsync("""{"type":4,"invocationId":"5","target":"StreamAudio","arguments":["over",0],"streamIds":["t"]}""");
        Assert.Contains("session 'over' has ended", (string)(await CompletionAsync(hub, "5"))["error"]!, StringComparison.Ordinal);
        await hub.SendAsync("""{"type":1,"invocationId":"6","target":"EndSession","arguments":["over"]}""");
        Assert.Null((await CompletionAsync(hub, "6"))["error"]);
        await hub.SendAsync("""{"type":1,"invocationId":"7","target":"StartSession","arguments":[{"sessionId":"over"}]}""");
        Assert.Contains("session 'over' has ended", (string)(await CompletionAsync(hub, "7"))["error"]!, StringComparison.Ordinal);
        await hub.SendAsync("""{"type":4,"invocationId":"8","target":"WatchCaptions","arguments":["over",-5]}""");
        Assert.Contains("sequence", (string)(await CompletionAsync(hub, "8"))["error"]!, StringComparison.OrdinalIgnoreCase);
        await beside.AssertUnharmedAsync();
    }

    [Fact]
    public async Task SilenceForAnHour_CostsNoDecodingAndTheNextWordIsHeard()
    {
        await using var host = await TestHost.StartAsync(("Limits:AudioBytesPerSecond", "1073741824"));
        await using var client = await host.ConnectAsync();
        await client.StartSessionAsync(new StartSessionRequest { SessionId = "night", SampleRateHz = 16000 }, Cancelled);
        await TestHost.SendAudioAsync(client, "night", LiveHarness.Chunks(new SpokenAudio().Say(1, 2).Silence(2).Samples));
        await LiveHarness.EventuallyAsync(() => host.Sessions.Captions("night")!.Value.Captions is [{ State: CaptionState.Committed }], "the first caption");
        var decoded = host.Recognizer.Calls.Count;
        var at = host.Sessions.Get("night").Position.AcknowledgedSamples;
        var silence = Convert.ToBase64String(new byte[LiveSession.MaximumChunkBytes]);
        await TestHost.SendAudioAsync(client, "night", Enumerable.Repeat(silence, 3600 * 2 * SpokenAudio.SampleRateHz / LiveSession.MaximumChunkBytes), at);
        Assert.Equal(decoded, host.Recognizer.Calls.Count);
        at = host.Sessions.Get("night").Position.AcknowledgedSamples;
        Assert.InRange(at, 3599L * SpokenAudio.SampleRateHz, 3610L * SpokenAudio.SampleRateHz);

        await TestHost.SendAudioAsync(client, "night", LiveHarness.Chunks(new SpokenAudio().Silence(0.5).Say(3).Samples), at);
        await client.EndSessionAsync("night", Cancelled);
        var captions = host.Sessions.Captions("night")!.Value.Captions;
        Assert.Equal(["w1 w2", "w3"], captions.Select(caption => caption.Text));
        Assert.InRange(captions[^1].Words[0].Start, 3599, 3610);
    }

    [Fact]
    public async Task NoAudioForAnHour_EndsTheSessionWithWhatWasSaid()
    {
        var time = new FakeTimeProvider();
        await using var host = await TestHost.StartAsync(time);
        await using var client = await host.ConnectAsync();
        await client.StartSessionAsync(new StartSessionRequest { SessionId = "left" }, Cancelled);
        await TestHost.SendAudioAsync(client, "left", LiveHarness.Chunks(new SpokenAudio().Say(1, 2).Samples));
        time.Advance(TimeSpan.FromMinutes(4));
        host.Sessions.Sweep();
        Assert.Equal(SessionState.Active, host.Sessions.Get("left").State);
        time.Advance(TimeSpan.FromMinutes(56));
        host.Sessions.Sweep();
        await LiveHarness.EventuallyAsync(() => host.Sessions.Find("left") is null, "the end");
        Assert.Equal(["w1 w2"], host.Sessions.Captions("left")!.Value.Captions.Select(caption => caption.Text));
        Assert.Contains("has ended", (await Assert.ThrowsAsync<AsrException>(() => TestHost.SendAudioAsync(client, "left", ["AAAAAA=="]))).Message, StringComparison.Ordinal);
    }

    /// <summary>The completion of a call; what comes before it is skipped.</summary>
    private static async Task<JsonNode> CompletionAsync(RawHub hub, string id)
    {
        while (true)
        {
            var message = JsonNode.Parse(await hub.ReceiveAsync() ?? throw new InvalidOperationException("The connection was closed."))!;
            if ((int)message["type"]! == 3 && (string)message["invocationId"]! == id)
            {
                return message;
            }
        }
    }

    /// <summary>A host with a session that a well-behaved client feeds before and after the other one misbehaves.</summary>
    private sealed class Beside : IAsyncDisposable
    {
        private const string Id = "beside";

        private readonly LiveClient _client;
        private readonly SpokenAudio _audio = new SpokenAudio().Say(1, 2, 3).Silence(1).Say(4, 5).Silence(1);
        private readonly int _half;

        private Beside(TestHost host, LiveClient client)
        {
            Host = host;
            _client = client;
            _half = _audio.Length / 3;
        }

        public TestHost Host { get; }

        public static async Task<Beside> StartAsync()
        {
            var host = await TestHost.StartAsync();
            var beside = new Beside(host, await host.ConnectAsync());
            await beside._client.StartSessionAsync(new StartSessionRequest { SessionId = Id }, Cancelled);
            await TestHost.SendAudioAsync(beside._client, Id, LiveHarness.Chunks(beside._audio.Samples.AsSpan(0, beside._half)));
            return beside;
        }

        /// <summary>Sends the rest, and has every word and no defect.</summary>
        public async Task AssertUnharmedAsync()
        {
            await TestHost.SendAudioAsync(_client, Id, LiveHarness.Chunks(_audio.Samples.AsSpan(_half)), _half);
            var end = await _client.EndSessionAsync(Id, Cancelled);
            Assert.Equal(_audio.Length, end.AcknowledgedSamples);
            Assert.Equal(["w1 w2 w3", "w4 w5"], Host.Sessions.Captions(Id)!.Value.Captions.Select(caption => caption.Text));
            Assert.DoesNotContain(Host.App.Services.GetRequiredService<Microsoft.Extensions.Logging.Testing.FakeLogCollector>().GetSnapshot(), record => record.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
        }

        public async ValueTask DisposeAsync()
        {
            await _client.DisposeAsync();
            await Host.DisposeAsync();
        }
    }
}
