using AsrPlatform.Abstractions;
using AsrPlatform.Host.Live;
using Microsoft.Extensions.Time.Testing;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

public sealed class LiveSessionStoreTests
{
    [Fact]
    public async Task Start_WithAnIdTwice_ResumesAtTheAcknowledgedSample()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        Assert.Equal(new SessionPosition("talk-1", 0, 0), await OpenAsync(live, "talk-1"));
        await SendAsync(live.Sessions.Get("talk-1"), new SpokenAudio().Say(1, 2, 3).Silence(1));
        await EventuallyAsync(() => live.Sessions.Get("talk-1").Captions is [{ State: Abstractions.Captions.CaptionState.Committed }], "a commit");
        var resumed = await OpenAsync(live, "talk-1");
        Assert.Equal(live.Sessions.Get("talk-1").Position, resumed);
        Assert.Equal(1.9 * SpokenAudio.SampleRateHz, resumed.AcknowledgedSamples);
        Assert.True(resumed.LastSequence >= 1);
    }

    [Fact]
    public async Task Start_WithoutAnId_MakesOneThatIsLongEnough()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var first = await OpenAsync(live);
        var second = await OpenAsync(live);
        Assert.NotEqual(first.SessionId, second.SessionId);
        Assert.Matches("^[0-9a-f]{32}$", first.SessionId);
    }

    [Theory]
    [InlineData("")]
    [InlineData("../etc")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123x")]
    public async Task Start_WithABadId_IsRefused(string id)
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var error = await Assert.ThrowsAsync<AsrException>(() => OpenAsync(live, id));
        Assert.Contains("session id", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithWhatTheModelCannotDo_IsRefusedWithWhatItCan()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        await Refused(new StartSessionRequest { Language = "xx" }, "it knows en, de");
        await Refused(new StartSessionRequest { Task = "sing" }, "transcribe or translate");
        await Refused(new StartSessionRequest { Adapter = "mine" }, "no adapter 'mine'");
        await Refused(new StartSessionRequest { SampleRateHz = 1 }, "8000 to 192000");
        await OpenAsync(live, "a");
        await Refused(new StartSessionRequest { SessionId = "a", SampleRateHz = 8000 }, "was started with 16000");

        async Task Refused(StartSessionRequest request, string message) => Assert.Contains(
            message,
            (await Assert.ThrowsAsync<AsrException>(() => live.Sessions.StartSessionAsync(request, Cancelled))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_BeyondTheLimit_IsRefusedUntilOneEnds()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, new LiveOptions { MaximumSessions = 2 });
        await OpenAsync(live, "a");
        await OpenAsync(live, "b");
        await Assert.ThrowsAsync<AsrException>(() => OpenAsync(live, "c"));
        await OpenAsync(live, "a");
        await live.Sessions.EndAsync("a", Cancelled);
        await OpenAsync(live, "c");
        var error = await Assert.ThrowsAsync<AsrException>(() => OpenAsync(live, "a"));
        Assert.Contains("has ended", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithoutAModel_SaysWhy()
    {
        await using var live = await LiveHarness.StartAsync(recognizer: null);
        var error = await Assert.ThrowsAsync<AsrException>(() => OpenAsync(live));
        Assert.Equal("no model: give --model", error.Message);
    }

    [Fact]
    public async Task Sweep_EndsIdleSessions_AndTheirCaptionsStay()
    {
        var time = new FakeTimeProvider();
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, time: time);
        await OpenAsync(live, "idle");
        await OpenAsync(live, "busy");
        await SendAsync(live.Sessions.Get("idle"), new SpokenAudio().Say(1, 2));
        time.Advance(TimeSpan.FromMinutes(4));
        await SendAsync(live.Sessions.Get("busy"), new SpokenAudio().Say(3));
        time.Advance(TimeSpan.FromMinutes(1) + TimeSpan.FromSeconds(10));
        await EventuallyAsync(() => live.Sessions.Find("idle") is null, "the idle session ends and leaves");
        Assert.Equal("ended", live.Sessions.Describe("idle")!.State);
        Assert.Equal("w1 w2", Assert.Single(live.Sessions.Captions("idle")!.Value.Captions).Text);
        Assert.Equal(SessionState.Active, live.Sessions.Get("busy").State);
    }

    [Fact]
    public async Task Close_FlushesEverySessionAndStartsNoMore()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        await OpenAsync(live, "a");
        await SendAsync(live.Sessions.Get("a"), new SpokenAudio().Say(1, 2));
        await live.Sessions.CloseAsync(Cancelled);
        Assert.Equal("w1 w2", Assert.Single(live.Sessions.Captions("a")!.Value.Captions).Text);
        await Assert.ThrowsAsync<AsrException>(() => OpenAsync(live, "b"));
    }

    private static Task<SessionPosition> OpenAsync(LiveHarness live, string? id = null) =>
        live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
}
