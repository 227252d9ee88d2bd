using System.Runtime.CompilerServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Learning.Corrections;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.Time.Testing;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Data;

/// <summary>What a data folder gives back.</summary>
public sealed class RestartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("asr-restart-").FullName;
    private readonly ToneRecognizer _recognizer = new();

    public void Dispose()
    {
        _recognizer.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Stopped in the middle of an utterance, at once or after committing what was said.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Session_OfAHostThatStopped_GoesOnWhereItWas(bool isGraceful)
    {
        var audio = new SpokenAudio().Say(1, 2, 3).Silence(1).Say(4, 5, 6, 7).Silence(1).Say(8).Silence(1);
        var cut = 16000 * 215 / 100; // between word 4 and word 5
        List<CaptionUpdate> seen = [];
        Task watched;
        await using (var live = await OpenAsync())
        {
            var session = await live.OpenAsync("talk");
            watched = Task.Run(async () =>
            {
                await foreach (var update in live.Sessions.WatchAsync("talk", 0, Cancelled))
                {
                    seen.Add(update);
                }
            });
            await SendAsync(session, 0, Chunks(audio.Samples.AsSpan(0, cut)));
            await EventuallyAsync(() => session.Captions is [{ State: CaptionState.Committed }, ..], "a commit");
            if (isGraceful)
            {
                await live.Sessions.CloseAsync(Cancelled);
            }
        }

        // A viewer is told, unless the host said goodbye.
        await Task.WhenAny(watched);
        Assert.Equal(isGraceful, watched.IsCompletedSuccessfully);
        await using (var live = await OpenAsync())
        {
            // A viewer may be back before the speaker.
            var watching = Task.Run(async () =>
            {
                List<CaptionUpdate> more = [];
                await foreach (var update in live.Sessions.WatchAsync("talk", seen[^1].Sequence, Cancelled))
                {
                    more.Add(update);
                }

                return more;
            });
            var position = await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = "talk" }, Cancelled);
            Assert.Equal(cut, position.AcknowledgedSamples);
            Assert.True(position.LastSequence >= seen[^1].Sequence);
            await SendAsync(live.Sessions.Get("talk"), cut, Chunks(audio.Samples.AsSpan(cut)));
            var end = await live.Sessions.EndAsync("talk", Cancelled);
            Assert.Equal(audio.Length, end.AcknowledgedSamples);

            var captions = live.Sessions.Captions("talk")!.Value.Captions;
            string[] texts = isGraceful ? ["w1 w2 w3", "w4", "w5 w6 w7", "w8"] : ["w1 w2 w3", "w4 w5 w6 w7", "w8"];
            Assert.Equal(texts, captions.Select(caption => caption.Text));
            Assert.Equal(Enumerable.Range(1, texts.Length).Select(segment => (long)segment), captions.Select(caption => caption.SegmentId));

            // "w8" starts at 4.1 s, wherever the process was cut.
            Assert.Equal(4.1, captions[^1].Words[0].Start, 0.02);
            seen.AddRange(await watching);
            Assert.All(seen.Zip(seen.Skip(1)), pair => Assert.True(pair.First.Sequence < pair.Second.Sequence));
            Assert.Equal(texts, seen.Where(update => update.State == CaptionState.Committed).Select(update => update.Text));
            Assert.All(seen.GroupBy(update => update.SegmentId), segment => Assert.All(segment.Zip(segment.Skip(1)), pair => Assert.True(pair.First.Revision < pair.Second.Revision)));
        }
    }

    [Fact]
    public async Task Session_OfAnotherRate_GoesOnInItsOwnSamples()
    {
        var audio = new short[8000 * 6];
        new SpokenAudio().Silence(3.5).Say(40, 40).Samples.Where((_, i) => i % 2 == 0).ToArray().CopyTo(audio, 0);
        await using (var live = await OpenAsync())
        {
            await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = "talk", SampleRateHz = 8000 }, Cancelled);
            await SendAsync(live.Sessions.Get("talk"), 0, Chunks(audio.AsSpan(0, 8000 * 3)));
        }

        await using (var live = await OpenAsync())
        {
            var position = await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = "talk", SampleRateHz = 8000 }, Cancelled);
            Assert.Equal(8000 * 3, position.AcknowledgedSamples);
            await SendAsync(live.Sessions.Get("talk"), 8000 * 3, Chunks(audio.AsSpan(8000 * 3)));
            await live.Sessions.EndAsync("talk", Cancelled);
            var caption = Assert.Single(live.Sessions.Captions("talk")!.Value.Captions);
            Assert.Equal(3.5, caption.Words[0].Start, 0.05);
            Assert.InRange(caption.StartSample, 8000 * 2.5, 8000 * 3.5);
            var error = await Assert.ThrowsAsync<AsrException>(() => live.OpenAsync("talk"));
            Assert.Contains("has ended", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Session_ThatEnded_IsListedWatchedAndCorrectedAfterARestart()
    {
        var correction = new Correction { Id = "c1", SessionId = "talk", SegmentId = 2, Sequence = 2, Text = "four five", Author = "someone" };
        CaptionUpdate first;
        await using (var live = await OpenAsync())
        {
            await SayAsync(live, "talk", new SpokenAudio().Say(1, 2, 3).Silence(1).Say(4, 5));
            first = await live.Sessions.CorrectAsync(correction);
            Assert.Empty(live.Sessions.Sessions);
        }

        await using (var live = await OpenAsync())
        {
            var description = Assert.Single(live.Sessions.List(null, null, 10));
            Assert.Equal(("talk", "ended", 2), (description.SessionId, description.State, description.Segments));
            Assert.Equal(first.Sequence, description.LastSequence);

            // The same correction again is the one that it was; another one is the next revision.
            Assert.Equivalent(first, await live.Sessions.CorrectAsync(correction), strict: true);
            var second = await live.Sessions.CorrectAsync(correction with { Id = "c2", Text = "4 5" });
            Assert.Equal((first.Sequence + 1, first.Revision + 1, CaptionState.Corrected), (second.Sequence, second.Revision, second.State));

            var all = await Watch(live, 0);
            Assert.Equal(["w1 w2 w3", "4 5"], all.Select(update => update.Text));
            Assert.Equal(["4 5"], (await Watch(live, first.Sequence)).Select(update => update.Text));
            Assert.Empty(await Watch(live, second.Sequence));
            await Assert.ThrowsAsync<AsrException>(() => Watch(live, second.Sequence + 1));

            var rows = live.Folder.Database.Read(connection => connection.Query(
                "SELECT id, segment, seen_sequence, sequence, hypothesis, text, author, adapter_version, start_sample < end_sample FROM correction ORDER BY number",
                row => (row.GetString(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetString(4), row.GetString(5), row.Text(6), row.GetString(7), row.GetBoolean(8))));
            Assert.Equal(
                [("c1", 2, 2, first.Sequence, "w1 w2 w3 w4 w5", "w1 w2 w3 four five", "someone", "base", true), ("c2", 2, 2, second.Sequence, "w1 w2 w3 w4 w5", "w1 w2 w3 4 5", "someone", "base", true)],
                rows);
        }

        static async Task<List<CaptionUpdate>> Watch(LiveHarness live, long after)
        {
            List<CaptionUpdate> updates = [];
            await foreach (var update in live.Sessions.WatchAsync("talk", after, Cancelled))
            {
                updates.Add(update);
            }

            return updates;
        }
    }

    [Fact]
    public async Task Session_WhoseCaptionsCannotBeKept_StopsWithOneErrorAndGoesOnOnceTheyCan()
    {
        await using var live = await OpenAsync();
        var session = await live.OpenAsync("talk");
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3).Silence(1));
        await EventuallyAsync(() => session.Captions is [{ State: CaptionState.Committed }], "a commit");

        // No page more, as on a full disk.
        await live.Folder.Database.WriteAsync(connection => connection.Execute("CREATE TABLE ballast (content TEXT)"));
        await live.Folder.Database.WriteAsync(connection =>
        {
            connection.Execute($"PRAGMA max_page_count={connection.Scalar("PRAGMA page_count")}");
            return true;
        });
        await Assert.ThrowsAsync<AsrException>(() => live.Folder.Database.WriteAsync(connection => connection.Execute("INSERT INTO ballast VALUES ($content)", ("$content", new string('x', 100_000)))));
        var said = 0;
        while (session.State == SessionState.Active && said < 2000)
        {
            await SendOrStopAsync(session, new SpokenAudio().Say(4, 5, 6).Silence(1));
            said++;
        }

        await session.Completion;
        var error = await Assert.ThrowsAsync<AsrException>(() => session.EndAsync(Cancelled));
        Assert.Equal("session 'talk' was stopped: nothing more can be kept: the disk of the data folder is full", error.Message);
        await EventuallyAsync(() => live.Sessions.Find("talk") is null, "it leaves");
        Assert.Equal("interrupted", live.Sessions.Describe("talk")!.State);

        await live.Folder.Database.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1000000"));
        var position = await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = "talk" }, Cancelled);
        var whole = new SpokenAudio().Say(1, 2, 3).Silence(1);
        for (var i = 0; i < said; i++)
        {
            whole.Say(4, 5, 6).Silence(1);
        }

        await SendAsync(live.Sessions.Get("talk"), position.AcknowledgedSamples, Chunks(whole.Samples.AsSpan((int)position.AcknowledgedSamples)));
        await live.Sessions.EndAsync("talk", Cancelled);
        Assert.Equal(["w1 w2 w3", .. Enumerable.Repeat("w4 w5 w6", said)], live.Sessions.Captions("talk")!.Value.Captions.Select(caption => caption.Text));

        static async Task SendOrStopAsync(LiveSession session, SpokenAudio audio)
        {
            try
            {
                await SendAsync(session, audio);
            }
            catch (AsrException)
            {
                // It has stopped.
            }
        }
    }

    /// <summary>As on a disk that has no room for one caption and then for a shorter one: who goes on after the shorter one has lost the other.</summary>
    [Fact]
    public async Task Caption_AfterOneThatCouldNotBeKept_IsNotKeptEither()
    {
        using var kept = await KeptSession.StartAsync();
        await kept.CommitAsync(1, "first", 0, 1);
        await kept.Folder.Database.WriteAsync(connection => connection.Execute($"PRAGMA max_page_count={connection.Scalar("PRAGMA page_count")}"));
        var full = await Assert.ThrowsAsync<AsrException>(() => kept.CommitAsync(2, new string('x', 100_000), 1, 2));
        Assert.Equal("nothing more can be kept: the disk of the data folder is full", full.Message);
        await kept.Folder.Database.WriteAsync(connection => connection.Execute("PRAGMA max_page_count=1000000"));
        Assert.Equal("an earlier caption could not be kept", (await Assert.ThrowsAsync<AsrException>(() => kept.CommitAsync(3, "third", 2, 3))).Message);
        Assert.Equal(["first"], kept.Archive.Reopen(kept.Record).History.Captions.Select(caption => caption.Text));
    }

    [Fact]
    public async Task Delete_LeavesNoTraceInTheFolder()
    {
        const string Secret = "a-word-that-is-nowhere-else";
        await using (var live = await OpenAsync())
        {
            await SayAsync(live, "kept", new SpokenAudio().Say(1));
            await SayAsync(live, "gone", new SpokenAudio().Say(2).Silence(1).Say(3));
            await live.Sessions.CorrectAsync(new Correction { Id = "c1", SessionId = "gone", SegmentId = 1, Sequence = 1, Text = Secret });
            await live.OpenAsync("running");
            await SendAsync(live.Sessions.Get("running"), new SpokenAudio().Say(4));
            Assert.True(Holds(Secret));
            Assert.True(await live.Sessions.DeleteAsync("gone", Cancelled));
            Assert.True(await live.Sessions.DeleteAsync("running", Cancelled));
            Assert.False(await live.Sessions.DeleteAsync("gone", Cancelled));
            Assert.False(Holds(Secret));
            Assert.Null(live.Sessions.Describe("gone"));
            Assert.Null(live.Sessions.Find("running"));
            Assert.Null(live.Sessions.OpenAudio("gone"));
            await Assert.ThrowsAsync<AsrException>(() => live.Sessions.CorrectAsync(new Correction { Id = "c1", SessionId = "gone", SegmentId = 1, Sequence = 1, Text = "" }));
        }

        Assert.False(Holds(Secret));
        Assert.Equal(["00000001.wav"], Directory.GetFiles(Path.Combine(_folder, "audio")).Select(Path.GetFileName));

        bool Holds(string text) => Directory.EnumerateFiles(_folder, "*", SearchOption.AllDirectories).Any(path =>
        {
            if (Path.GetFileName(path) == "lock")
            {
                return false;
            }

            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1);
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text)) >= 0;
        });
    }

    [Fact]
    public async Task Retention_ByAge_DeletesWhatEndedLongAgo()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var live = await StartAsync(_recognizer, time: time, directory: _folder, data: new DataOptions { MaximumAge = TimeSpan.FromHours(1) });
        await SayAsync(live, "old", new SpokenAudio().Say(1));
        time.Advance(TimeSpan.FromMinutes(40));
        await SayAsync(live, "new", new SpokenAudio().Say(2));
        time.Advance(TimeSpan.FromMinutes(21));
        await live.Archive.ApplyRetentionAsync();
        Assert.Equal(["new"], live.Sessions.List(null, null, 10).Select(session => session.SessionId));
    }

    [Fact]
    public async Task Retention_BySize_DeletesTheOldestFirstAndNothingThatRuns()
    {
        await using var live = await StartAsync(_recognizer, directory: _folder, data: new DataOptions { MaximumBytes = 2_000_000 });
        await live.OpenAsync("running");
        foreach (var id in new[] { "a", "b", "c" })
        {
            await SayAsync(live, id, new SpokenAudio().Silence(25));
        }

        Assert.Equal(["c", "b", "a", "running"], live.Sessions.List(null, null, 10).Select(session => session.SessionId));
        await live.Archive.ApplyRetentionAsync();
        Assert.Equal(["c", "b", "running"], live.Sessions.List(null, null, 10).Select(session => session.SessionId));
    }

    [Fact]
    public async Task Sessions_ThatEnded_LeaveMemory()
    {
        await using var live = await OpenAsync();
        var sessions = await RunAsync(live);
        Assert.Empty(live.Sessions.Sessions);
        for (var i = 0; i < 10 && sessions.Any(session => session.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        // What the last calls left on a stack may hold one.
        Assert.InRange(sessions.Count(session => session.IsAlive), 0, 2);
        Assert.Equal(20, live.Sessions.List("ended", null, 100).Count);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static async Task<List<WeakReference>> RunAsync(LiveHarness live)
        {
            List<WeakReference> sessions = [];
            for (var i = 0; i < 20; i++)
            {
                sessions.Add(new WeakReference(await live.OpenAsync($"talk-{i}")));
                await SayAsync(live, $"talk-{i}", new SpokenAudio().Say(i));
            }

            return sessions;
        }
    }

    private static async Task SayAsync(LiveHarness live, string id, SpokenAudio audio)
    {
        var session = await live.OpenAsync(id);
        await SendAsync(session, audio);
        await live.Sessions.EndAsync(id, Cancelled);
    }

    private Task<LiveHarness> OpenAsync() => StartAsync(_recognizer, directory: _folder);
}
