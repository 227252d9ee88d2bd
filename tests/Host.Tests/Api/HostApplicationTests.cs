using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Tests.Api;

/// <summary>The service over HTTP and its hub over a real WebSocket; the recogniser is a fake.</summary>
public sealed class HostApplicationTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private LiveClient _client = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync(("Security:AllowedOrigins:0", "https://allowed.example"));
        _client = await _host.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task Captions_ByWatchCaptionsAndByHttp_HaveTheFixedForm()
    {
        var session = await SayAsync(new SpokenAudio().Say(1, 2), "form");
        string[] members = ["sessionId", "segmentId", "sequence", "revision", "state", "text", "words", "language", "adapterVersion", "startSample", "endSample"];
        var caption = (await _host.Http.GetFromJsonAsync<JsonArray>("api/sessions/form/captions.json", Cancelled))!.Single()!.AsObject();
        Assert.Equal(members, caption.Select(member => member.Key));
        Assert.Equal("committed", (string)caption["state"]!);
        Assert.Equal(["text", "start", "end", "confidence"], caption["words"]![0]!.AsObject().Select(member => member.Key));
        Assert.Equal("base", (string)caption["adapterVersion"]!);

        var watched = new List<CaptionUpdate>();
        await foreach (var update in _client.WatchCaptionsAsync(session.SessionId, 0, Cancelled))
        {
            watched.Add(update);
        }

        Assert.True(JsonNode.DeepEquals(caption, JsonSerializer.SerializeToNode(Assert.Single(watched), JsonSerializerOptions.Web)));
    }

    [Fact]
    public async Task Captions_InEachFormat_HoldTheNewestRevisions()
    {
        await SayAsync(new SpokenAudio().Say(1, 2).Silence(2).Say(3), "formats");
        var corrected = await _client.SubmitCorrectionAsync(new Correction { Id = "1", SessionId = "formats", SegmentId = 1, Sequence = 1, Text = "one & two" }, Cancelled);
        Assert.Equal(CaptionState.Corrected, corrected.State);
        Assert.Equal("one & two\nw3\n", await _host.Http.GetStringAsync("api/sessions/formats/captions.txt", Cancelled));
        Assert.StartsWith("WEBVTT\n\n00:00:00.000 --> 00:00:01.", await _host.Http.GetStringAsync("api/sessions/formats/captions.vtt", Cancelled), StringComparison.Ordinal);
        Assert.StartsWith("1\n00:00:00,000 --> 00:00:01,", await _host.Http.GetStringAsync("api/sessions/formats/captions.srt", Cancelled), StringComparison.Ordinal);
        Assert.Equal(2, (await _host.Http.GetFromJsonAsync<JsonArray>("api/sessions/formats/captions.json", Cancelled))!.Count);
    }

    [Fact]
    public async Task Captions_WhileTentative_AreLeftOutUnlessAskedFor()
    {
        await _client.StartSessionAsync(new StartSessionRequest { SessionId = "open" }, Cancelled);
        await SendAsync("open", new SpokenAudio().Say(1, 2, 3));
        await LiveHarness.EventuallyAsync(() => _host.App.Services.GetRequiredService<LiveSessionStore>().Get("open").Captions.Length == 1, "a tentative caption");
        Assert.Equal("", await _host.Http.GetStringAsync("api/sessions/open/captions.txt", Cancelled));
        Assert.StartsWith("w1 w2", await _host.Http.GetStringAsync("api/sessions/open/captions.txt?tentative=true", Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_AreListedAndDescribed()
    {
        var position = await SayAsync(new SpokenAudio().Say(1), "described");
        var session = await _host.Http.GetFromJsonAsync<SessionDescription>("api/sessions/described", Cancelled);
        Assert.Equal(("described", "ended", 1, position.AcknowledgedSamples), (session!.SessionId, session.State, session.Segments, session.AcknowledgedSamples));
        Assert.Equal(["described"], (await _host.Http.GetFromJsonAsync<SessionDescription[]>("api/sessions", Cancelled))!.Select(one => one.SessionId));
    }

    [Theory]
    [InlineData("api/sessions/nobody")]
    [InlineData("api/sessions/nobody/captions.vtt")]
    [InlineData("api/nothing")]
    public async Task Get_WhatIsNotThere_IsAProblem(string path)
    {
        using var response = await _host.Http.GetAsync(path, Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        Assert.StartsWith("There is no", (string)(await response.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Captions_InAnUnknownFormat_AreAProblem()
    {
        await SayAsync(new SpokenAudio().Say(1), "odd");
        using var response = await _host.Http.GetAsync("api/sessions/odd/captions.doc", Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Models_WithAModel_ListsItInOpenAisShape()
    {
        var models = (await _host.Http.GetFromJsonAsync<JsonNode>("v1/models", Cancelled))!;
        Assert.Equal("list", (string)models["object"]!);
        var model = models["data"]!.AsArray().Single()!;
        Assert.Equal(("tones", "model"), ((string)model["id"]!, (string)model["object"]!));
        Assert.True((long)model["created"]! > 1_500_000_000);
        Assert.Equal("ready", (string)(await _host.Http.GetFromJsonAsync<JsonNode>("health/ready", Cancelled))!["status"]!);
    }

    [Fact]
    public async Task Ready_WithoutAModel_SaysWhyAndTheHostServesAllTheSame()
    {
        await using var host = await TestHost.StartAsync(() => throw new AsrException("no model: give --model DIR"));
        var http = host.Http;
        await LiveHarness.EventuallyAsync(() => host.App.Services.GetRequiredService<Serving.ModelHost>().Snapshot.Status == Serving.ModelStatus.Missing, "loading fails");
        using var ready = await http.GetAsync("health/ready", Cancelled);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Equal("no model: give --model DIR", (string)(await ready.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);
        using var live = await http.GetAsync("health/live", Cancelled);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        await using var client = await host.ConnectAsync();
        var error = await Assert.ThrowsAsync<AsrException>(() => client.StartSessionAsync(new StartSessionRequest(), Cancelled));
        Assert.Equal("no model: give --model DIR", error.Message);
        Assert.Empty((await http.GetFromJsonAsync<JsonNode>("v1/models", Cancelled))!["data"]!.AsArray());
        Assert.Empty((await http.GetFromJsonAsync<JsonArray>("api/plugins", Cancelled))!);
    }

    [Fact]
    public async Task Hub_ErrorsThatTheClientCanActOn_ArriveWithTheirMessage()
    {
        Assert.Equal("there is no session 'nobody': start one with StartSession", (await Assert.ThrowsAsync<AsrException>(() => _client.EndSessionAsync("nobody", Cancelled))).Message);
        await _client.StartSessionAsync(new StartSessionRequest { SessionId = "gap" }, Cancelled);
        Assert.EndsWith("send from 0", (await Assert.ThrowsAsync<AsrException>(() => SendAsync("gap", new SpokenAudio().Say(1), offset: 7))).Message, StringComparison.Ordinal);

        // A second at once: 42.7 KB of base64 is refused with a reason, and the connection lives on.
        Assert.Contains("16384 bytes at most", (await Assert.ThrowsAsync<AsrException>(() => SendAsync("gap", new SpokenAudio().Silence(1), chunk: 16000))).Message, StringComparison.Ordinal);
        await SendAsync("gap", new SpokenAudio().Silence(1));
        Assert.Equal(16000, (await _client.EndSessionAsync("gap", Cancelled)).AcknowledgedSamples);
    }

    [Theory]
    [InlineData("http://elsewhere.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("https://allowed.example", HttpStatusCode.OK)]
    [InlineData(null, HttpStatusCode.OK)]
    public async Task Hub_AskedByAPageOfAnotherOrigin_RefusesUnlessAllowed(string? origin, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "hubs/captions/negotiate?negotiateVersion=1");
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using var response = await _host.Http.SendAsync(request, Cancelled);
        Assert.Equal(expected, response.StatusCode);
    }

    [Fact]
    public async Task Start_WithAnOptionOutOfRange_SaysWhich()
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => TestHost.StartAsync(("Live:UpdateInterval", "01:00:00")));
        Assert.Contains("Live:UpdateInterval is 01:00:00; it must be 0.1 s … 30 s.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_OverAConnectionInMemory_CaptionsAudio()
    {
        await using var client = await LiveClient.ConnectAsync(_host.App.Services, Cancelled);
        var audio = new AsrPlatform.Abstractions.Audio.MemoryAudioSource(
            new SpokenAudio().Say(1, 2, 3, 4).Silence(2).Say(5).Samples.Select(sample => sample / 32768f).ToArray(),
            SpokenAudio.SampleRateHz);
        List<SeenCaption> seen = [];
        var result = await new LiveRun(client, TimeProvider.System).RunAsync(audio, new StartSessionRequest(), pace: 0, null, seen.Add, Cancelled);
        Assert.Equal(["w1 w2 w3 w4", "w5"], result.Captions.Select(caption => caption.Text));
        Assert.Equal(seen, result.Seen);
        Assert.All(seen, caption => Assert.True(caption.Latency >= TimeSpan.Zero && caption.At >= caption.Latency));
    }

    private async Task<SessionPosition> SayAsync(SpokenAudio audio, string id)
    {
        await _client.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
        await SendAsync(id, audio);
        return await _client.EndSessionAsync(id, Cancelled);
    }

    private Task SendAsync(string id, SpokenAudio audio, long offset = 0, int chunk = 1600) =>
        TestHost.SendAudioAsync(_client, id, LiveHarness.Chunks(audio.Samples, chunk), offset);
}
