using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Live;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/sessions</c> over HTTP.</summary>
public sealed class SessionEndpointsTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private LiveClient _client = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync();
        _client = await _host.ConnectAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _host.DisposeAsync();
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
            using var response = await _host.Http.GetAsync(next, Cancelled);
            listed.AddRange((await response.Content.ReadFromJsonAsync<SessionDescription[]>(Cancelled))!.Select(session => session.SessionId));
            next = response.Headers.TryGetValues("Link", out var link) ? link.Single().Split('<', '>')[1] : null;
        }

        Assert.Equal(["talk-3", "talk-2", "talk-1", "talk-0"], listed);
        Assert.Equal(["talk-4"], (await _host.Http.GetFromJsonAsync<SessionDescription[]>("api/sessions?state=active", Cancelled))!.Select(session => session.SessionId));
        foreach (var wrong in new[] { "limit=0", "limit=1001", "state=odd", "before=nobody" })
        {
            using var refused = await _host.Http.GetAsync($"api/sessions?{wrong}", Cancelled);
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
            using var ended = await _host.Http.PostAsync("api/sessions/talk/end", null, Cancelled);
            Assert.Equal(audio.Length, (await ended.Content.ReadFromJsonAsync<SessionPosition>(Cancelled))!.AcknowledgedSamples);
        }

        Assert.Equal("w1 w2\n", await _host.Http.GetStringAsync("api/sessions/talk/captions.txt", Cancelled));
        Assert.Equal("ended", (await _host.Http.GetFromJsonAsync<SessionDescription>("api/sessions/talk", Cancelled))!.State);
        using var missing = await _host.Http.PostAsync("api/sessions/nobody/end", null, Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Fact]
    public async Task Delete_TakesTheSessionAwayForGood()
    {
        await SayAsync("over", new SpokenAudio().Say(1), end: true);
        await SayAsync("running", new SpokenAudio().Say(2), end: false);
        foreach (var id in new[] { "over", "running" })
        {
            using var deleted = await _host.Http.DeleteAsync($"api/sessions/{id}", Cancelled);
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
            using var again = await _host.Http.DeleteAsync($"api/sessions/{id}", Cancelled);
            Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
            using var audio = await _host.Http.GetAsync($"api/sessions/{id}/audio.wav", Cancelled);
            Assert.Equal(HttpStatusCode.NotFound, audio.StatusCode);
        }

        Assert.Empty((await _host.Http.GetFromJsonAsync<JsonArray>("api/sessions", Cancelled))!);
    }

    [Fact]
    public async Task Audio_WholeAndInRanges_IsTheSessionsSofar()
    {
        var audio = new SpokenAudio().Say(1, 2, 3);
        await SayAsync("talk", audio, end: false);
        var whole = await _host.Http.GetByteArrayAsync("api/sessions/talk/audio.wav", Cancelled);
        Assert.Equal(audio.Samples, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(whole.AsSpan(44)).ToArray());
        Assert.Equal(2 * audio.Length, BitConverter.ToInt32(whole, 40));
        foreach (var (from, to) in new (long?, long?)[] { (0, 9), (40, 50), (1000, 2999), (null, 100) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "api/sessions/talk/audio.wav");
            request.Headers.Range = new RangeHeaderValue(from, to);
            using var response = await _host.Http.SendAsync(request, Cancelled);
            Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
            Assert.Equal("audio/wav", response.Content.Headers.ContentType!.MediaType);
            var expected = from is { } first ? whole[(int)first..((int)to! + 1)] : whole[^(int)to!.Value..];
            Assert.Equal(expected, await response.Content.ReadAsByteArrayAsync(Cancelled));
        }

        using var beyond = new HttpRequestMessage(HttpMethod.Get, "api/sessions/talk/audio.wav") { Headers = { Range = new RangeHeaderValue(10_000_000, null) } };
        using var refused = await _host.Http.SendAsync(beyond, Cancelled);
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
            using var response = await _host.Http.GetAsync($"api/sessions/{id}{what}", Cancelled);
            Assert.InRange((int)response.StatusCode, 400, 404);
        }
    }

    private async Task SayAsync(string id, SpokenAudio audio, bool end)
    {
        await _client.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
        await TestHost.SendAudioAsync(_client, id, LiveHarness.Chunks(audio.Samples));
        if (end)
        {
            await _client.EndSessionAsync(id, Cancelled);
        }
    }
}
