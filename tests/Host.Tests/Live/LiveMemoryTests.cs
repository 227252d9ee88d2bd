using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Live;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>What a correction does before anything is trained, over a recogniser that writes a word rightly when it is preferred.</summary>
public sealed class LiveMemoryTests
{
    private static ToneRecognizer Recognizer() => new() { Meant = new Dictionary<int, string> { [3] = "zenlacraft" } };

    [Fact]
    public async Task Correct_AWord_HelpsTheNextUtteranceOfEverySessionThatWantsIt()
    {
        using var recognizer = Recognizer();
        await using var live = await StartAsync(recognizer, memory: new MemoryOptions());
        var session = await live.OpenAsync("one");
        var other = await live.OpenAsync("other");
        var without = live.Sessions.Get((await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = "without", Memory = false }, Cancelled)).SessionId);
        await SayAsync(session, 1, 3, 2);
        Assert.Equal("w1 w3 w2", session.Captions[0].Text);

        await live.Sessions.CorrectAsync(new Correction { Id = "c", SessionId = "one", SegmentId = 1, Sequence = session.Captions[0].Sequence, Text = "w1 zenlacraft w2" });
        await SayAsync(session, 3, 4);
        await SayAsync(other, 5, 3);
        await SayAsync(without, 5, 3);
        Assert.Equal("zenlacraft w4", session.Captions[1].Text);
        Assert.Equal("w5 zenlacraft", other.Captions[0].Text);
        Assert.Equal("w5 w3", without.Captions[0].Text);

        // A session that starts later, and one that is corrected when it is over, too.
        await session.EndAsync(Cancelled);
        await SayAsync(await live.OpenAsync("later"), 3);
        Assert.Equal("zenlacraft", live.Sessions.Get("later").Captions[0].Text);
    }

    [Fact]
    public async Task Start_WithHotwords_PrefersThemFromTheFirstUtteranceOn()
    {
        using var recognizer = Recognizer();
        await using var live = await StartAsync(recognizer, memory: new MemoryOptions { Enabled = false });
        var position = await live.Sessions.StartSessionAsync(new StartSessionRequest { Hotwords = [" zenlacraft ", "Ada"] }, Cancelled);
        var session = live.Sessions.Get(position.SessionId);
        await SayAsync(session, 1, 3);
        Assert.Equal("w1 zenlacraft", session.Captions[0].Text);
    }

    [Fact]
    public async Task Start_WithHotwordsThatCannotBeUsed_SaysWhy()
    {
        using var recognizer = Recognizer();
        await using var live = await StartAsync(recognizer, memory: new MemoryOptions());
        await RefusedAsync([.. Enumerable.Range(0, 201).Select(i => $"word{i}")], "201 hotwords were given; 200 at most");
        await RefusedAsync([new string('x', 101)], "at most 100 characters");
        await RefusedAsync(["..."], "needs a letter or a digit");
        await RefusedAsync([null!], "needs a letter or a digit");

        async Task RefusedAsync(string[] words, string message) => Assert.Contains(
            message,
            (await Assert.ThrowsAsync<AsrException>(() => live.Sessions.StartSessionAsync(new StartSessionRequest { Hotwords = words }, Cancelled))).Message,
            StringComparison.Ordinal);
    }

    private static async Task SayAsync(LiveSession session, params int[] words)
    {
        var captions = session.Captions.Count(caption => caption.State != AsrPlatform.Abstractions.Captions.CaptionState.Tentative);
        await SendAsync(session, new SpokenAudio().Say(words).Silence(1));
        await session.CommitAsync(Cancelled);
        Assert.Equal(captions + 1, session.Captions.Length);
    }
}
