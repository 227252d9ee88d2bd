using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/sessions</c> over HTTP.</summary>
public sealed class SessionEndpointsTests : IAsyncLifetime
{
    private readonly ToneRecognizer _recognizer = new();
    private PluginCatalog _plugins = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;
    private LiveClient _client = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _plugins = PluginCatalog.Load(new PluginHostOptions { Directory = Path.Combine(AppContext.BaseDirectory, "no-plugins") }, new ConfigurationBuilder().Build());
        var builder = HostApplication.CreateBuilder([
            new("urls", "http://127.0.0.1:0"),
            new("Live:PauseDuration", "00:00:00.6"),
            new("Logging:LogLevel:Default", "None")]);
        _app = HostApplication.Build(builder, _plugins, () => _recognizer);
        await _app.StartAsync(Cancelled);
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
        _client = await LiveClient.ConnectAsync(_app.Services, Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        _http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await _plugins.DisposeAsync();
        _recognizer.Dispose();
    }

    [Fact]
    public async Task List_InPages_GivesEverySessionOnceTheNewestFirst()
    {
        for (var i = 0; i < 5; i++)
        {
            await SayAsync($"talk-{i}", new SpokenAudio().Say(i), end: i != 4);
        }

        List<string> listed = [];
        var next = "/api/sessions?limit=2&state=ended";
        while (next is not null)
        {
            using var response = await _http.GetAsync(next, Cancelled);
            listed.AddRange((await response.Content.ReadFromJsonAsync<SessionDescription[]>(Cancelled))!.Select(session => session.SessionId));
            next = response.Headers.TryGetValues("Link", out var link) ? link.Single().Split('<', '>')[1] : null;
        }

        Assert.Equal(["talk-3", "talk-2", "talk-1", "talk-0"], listed);
        Assert.Equal(["talk-4"], (await _http.GetFromJsonAsync<SessionDescription[]>("api/sessions?state=active", Cancelled))!.Select(session => session.SessionId));
        foreach (var wrong in new[] { "limit=0", "limit=1001", "state=odd", "before=nobody" })
        {
            using var refused = await _http.GetAsync($"api/sessions?{wrong}", Cancelled);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);
        }
    }

    [Fact]
    public async Task End_CommitsWhatWasSaid_AndTwiceIsOnce()
    {
        var audio = new SpokenAudio().Say(1, 2);
        await SayAsync("talk", audio, end: false);
        for (var i = 0; i < 2; i++)
        {
            using var ended = await _http.PostAsync("api/sessions/talk/end", null, Cancelled);
            Assert.Equal(audio.Length, (await ended.Content.ReadFromJsonAsync<SessionPosition>(Cancelled))!.AcknowledgedSamples);
        }

        Assert.Equal("w1 w2\n", await _http.GetStringAsync("api/sessions/talk/captions.txt", Cancelled));
        Assert.Equal("ended", (await _http.GetFromJsonAsync<SessionDescription>("api/sessions/talk", Cancelled))!.State);
        using var missing = await _http.PostAsync("api/sessions/nobody/end", null, Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Delete_TakesTheSessionAwayForGood()
    {
        await SayAsync("over", new SpokenAudio().Say(1), end: true);
        await SayAsync("running", new SpokenAudio().Say(2), end: false);
        foreach (var id in new[] { "over", "running" })
        {
            using var deleted = await _http.DeleteAsync($"api/sessions/{id}", Cancelled);
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            using var again = await _http.DeleteAsync($"api/sessions/{id}", Cancelled);
            Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
            using var audio = await _http.GetAsync($"api/sessions/{id}/audio.wav", Cancelled);
            Assert.Equal(HttpStatusCode.NotFound, audio.StatusCode);
        }

        Assert.Empty((await _http.GetFromJsonAsync<JsonArray>("api/sessions", Cancelled))!);
    }

    [Fact]
    public async Task Audio_WholeAndInRanges_IsTheSessionsSofar()
    {
        var audio = new SpokenAudio().Say(1, 2, 3);
        await SayAsync("talk", audio, end: false);
        var whole = await _http.GetByteArrayAsync("api/sessions/talk/audio.wav", Cancelled);
        Assert.Equal(audio.Samples, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(whole.AsSpan(44)).ToArray());
        Assert.Equal(2 * audio.Length, BitConverter.ToInt32(whole, 40));
        foreach (var (from, to) in new (long?, long?)[] { (0, 9), (40, 50), (1000, 2999), (null, 100) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "api/sessions/talk/audio.wav");
            request.Headers.Range = new RangeHeaderValue(from, to);
            using var response = await _http.SendAsync(request, Cancelled);
            Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
            Assert.Equal("audio/wav", response.Content.Headers.ContentType!.MediaType);
            var expected = from is { } first ? whole[(int)first..((int)to! + 1)] : whole[^(int)to!.Value..];
            Assert.Equal(expected, await response.Content.ReadAsByteArrayAsync(Cancelled));
        }

        using var beyond = new HttpRequestMessage(HttpMethod.Get, "api/sessions/talk/audio.wav") { Headers = { Range = new RangeHeaderValue(10_000_000, null) } };
        using var refused = await _http.SendAsync(beyond, Cancelled);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, refused.StatusCode);
    }

    [Theory]
    [InlineData("..%2f..%2fetc%2fpasswd")]
    [InlineData("..%5c..%5cwindows")]
    [InlineData("%00")]
    [InlineData("00000001")]
    public async Task Get_ByWhatLooksLikeAPath_FindsNothing(string id)
    {
        await SayAsync("talk", new SpokenAudio().Say(1), end: true);
        foreach (var what in new[] { "", "/audio.wav", "/captions.txt" })
        {
            using var response = await _http.GetAsync($"api/sessions/{id}{what}", Cancelled);
            Assert.InRange((int)response.StatusCode, 400, 404);
        }
    }

    private async Task SayAsync(string id, SpokenAudio audio, bool end)
    {
        await _client.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
        var chunks = Channel.CreateUnbounded<string>();
        foreach (var one in LiveHarness.Chunks(audio.Samples))
        {
            chunks.Writer.TryWrite(one);
        }

        chunks.Writer.Complete();
        await foreach (var _ in _client.StreamAudioAsync(id, 0, chunks.Reader, Cancelled))
        {
        }

        if (end)
        {
            await _client.EndSessionAsync(id, Cancelled);
        }
    }
}
