using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>What is too much: each limit with its error, and nobody else is the worse for it.</summary>
public sealed class LimitsTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_BeyondTheRate_AreRefusedPerKeyAndHealthIsNot()
    {
        await using var host = await TestHost.StartAsync(("Limits:RequestsPerMinute", "3"));
        var key = await host.KeyAsync(Role.Viewer, "a");
        var other = await host.KeyAsync(Role.Viewer, "b");
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "v1/models", key)).StatusCode);
        }

        using var refused = await host.SendAsync(HttpMethod.Get, "v1/models", key);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        var error = (await refused.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["error"]!;
        Assert.Equal("more than 3 requests in a minute, the most that Limits:RequestsPerMinute allows: try again later", (string)error["message"]!);
        Assert.Equal("rate_limit_error", (string)error["type"]!);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "v1/models", other)).StatusCode);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "health/live")).StatusCode);
        }

        // Guessing keys is counted, too, by address.
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await host.SendAsync(HttpMethod.Get, "v1/models", $"asr_guess{i}")).StatusCode);
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, (await host.SendAsync(HttpMethod.Get, "v1/models", "asr_guess3")).StatusCode);
    }

    [Fact]
    public async Task Sessions_BeyondACallersShare_AreRefusedUntilOneEnds()
    {
        await using var host = await TestHost.StartAsync(("Limits:SessionsPerCaller", "2"));
        await using var client = await host.ConnectAsync(await host.KeyAsync(Role.Speaker, "a"));
        await using var other = await host.ConnectAsync(await host.KeyAsync(Role.Speaker, "b"));
        var first = await client.StartSessionAsync(new StartSessionRequest(), Cancelled);
        await client.StartSessionAsync(new StartSessionRequest { SessionId = "second" }, Cancelled);
        Assert.Equal(
            "2 sessions of this key are running, the most that Limits:SessionsPerCaller allows: end one first",
            (await Assert.ThrowsAsync<AsrException>(() => client.StartSessionAsync(new StartSessionRequest(), Cancelled))).Message);

        // Coming back to one that runs is no new one; another key has a share of its own; one that ended makes room.
        Assert.Equal("second", (await client.StartSessionAsync(new StartSessionRequest { SessionId = "second" }, Cancelled)).SessionId);
        await other.StartSessionAsync(new StartSessionRequest(), Cancelled);
        await client.EndSessionAsync(first.SessionId, Cancelled);
        await client.StartSessionAsync(new StartSessionRequest(), Cancelled);
    }

    [Fact]
    public async Task Sessions_ThatCannotStart_TakeNoShare()
    {
        await using var host = await TestHost.StartAsync(("Limits:SessionsPerCaller", "1"), ("Live:MaximumSessions", "2"));
        await using var client = await host.ConnectAsync();
        for (var i = 0; i < 3; i++)
        {
            Assert.Contains("does not know the language", (await Assert.ThrowsAsync<AsrException>(() => client.StartSessionAsync(new StartSessionRequest { Language = "xx" }, Cancelled))).Message, StringComparison.Ordinal);
        }

        await client.StartSessionAsync(new StartSessionRequest(), Cancelled);
        Assert.StartsWith("1 sessions of this address are running", (await Assert.ThrowsAsync<AsrException>(() => client.StartSessionAsync(new StartSessionRequest(), Cancelled))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audio_FasterThanAllowed_IsRefusedAndTheSessionGoesOn()
    {
        // Ten seconds' worth at once: ten chunks of 16 KiB.
        var time = new FakeTimeProvider();
        await using var host = await TestHost.StartAsync(time, ("Limits:AudioBytesPerSecond", "16384"));
        await using var client = await host.ConnectAsync();
        var session = (await client.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        var chunk = Convert.ToBase64String(new byte[16384]);
        var error = await Assert.ThrowsAsync<AsrException>(() => TestHost.SendAudioAsync(client, session, Enumerable.Repeat(chunk, 12)));
        Assert.Equal("this connection sends more than 16384 bytes of audio a second, the most that Limits:AudioBytesPerSecond allows: send more slowly", error.Message);
        var acknowledged = host.Sessions.Get(session).Position.AcknowledgedSamples;
        Assert.InRange(acknowledged, 8192, 10 * 8192);

        time.Advance(TimeSpan.FromSeconds(3));
        await TestHost.SendAudioAsync(client, session, [chunk], acknowledged);
        Assert.Equal(acknowledged + 8192, host.Sessions.Get(session).Position.AcknowledgedSamples);
    }

    [Fact]
    public async Task Audio_BeyondASessionsDuration_IsRefusedAndWhatWasSaidIsCommitted()
    {
        await using var host = await TestHost.StartAsync(("Limits:SessionDuration", "00:01:00"));
        await using var client = await host.ConnectAsync();
        var session = (await client.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        var audio = new SpokenAudio().Say(1, 2).Silence(61).Say(3);
        var error = await Assert.ThrowsAsync<AsrException>(() => TestHost.SendAudioAsync(client, session, LiveHarness.Chunks(audio.Samples)));
        Assert.Equal($"session '{session}' has 00:01:00 of audio, the most that Limits:SessionDuration allows: end it and start another one", error.Message);
        await client.EndSessionAsync(session, Cancelled);
        Assert.Equal(["w1 w2"], host.Sessions.Captions(session)!.Value.Captions.Select(caption => caption.Text));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upload_ThatIsTooLarge_IsRefusedWithTheLimit(bool isChunked)
    {
        await using var host = await TestHost.StartAsync(("Limits:BodyBytes", "2048"));
        host.App.MapPost("/api/test-upload", async (HttpRequest request) =>
        {
            await request.Body.CopyToAsync(Stream.Null, Cancelled);
            return Results.Ok();
        }).RequireRole(Role.Speaker);

        // Of a chunked body the frames around the chunks count, too.
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(isChunked ? 2000 : 2048)).StatusCode);
        using var refused = await PostAsync(2049);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.StatusCode);
        Assert.Equal("the request's body is larger than 2048 bytes, the most that Limits:BodyBytes allows", (string)(await refused.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);

        async Task<HttpResponseMessage> PostAsync(int bytes)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "api/test-upload") { Content = new ByteArrayContent(new byte[bytes]) };
            request.Headers.TransferEncodingChunked = isChunked;
            return await host.Http.SendAsync(request, Cancelled);
        }
    }

    [Fact]
    public async Task Viewers_BeyondTheMost_AreRefused()
    {
        await using var host = await TestHost.StartAsync(("Live:MaximumViewers", "1"));
        await using var client = await host.ConnectAsync();
        var session = (await client.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        await using var first = client.WatchCaptionsAsync(session, 0, Cancelled).GetAsyncEnumerator(Cancelled);
        var waiting = first.MoveNextAsync();
        await LiveHarness.EventuallyAsync(() => host.Sessions.Get(session).Viewers == 1, "a viewer");
        await using var second = client.WatchCaptionsAsync(session, 0, Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.Contains("Live:MaximumViewers", (await Assert.ThrowsAsync<AsrException>(async () => await second.MoveNextAsync())).Message, StringComparison.Ordinal);
        await client.EndSessionAsync(session, Cancelled);
        Assert.False(await waiting);
    }
}
