using System.Collections.Concurrent;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Learning.Registry;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Sessions whose adapters change while they run.</summary>
public sealed class AdapterSwapTests : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("asr-swap-").FullName;
    private readonly AdaptedRecognizer _recognizer = new();

    public void Dispose()
    {
        _recognizer.Dispose();
        Directory.Delete(_scratch, recursive: true);
    }

    [Fact]
    public async Task Sessions_DuringFiftySwaps_LoseAndReorderNothing_AndEveryCaptionSaysItsAdapter()
    {
        const int Swaps = 50;
        const int Sessions = 4;
        await using var live = await StartAsync(_recognizer);
        var adapters = new[] { await AddAsync(live, "a"), await AddAsync(live, "b"), await AddAsync(live, "c") };
        var done = new TaskCompletionSource();
        var shown = Channel.CreateUnbounded<CaptionUpdate>();
        var talks = await Task.WhenAll(Enumerable.Range(0, Sessions).Select(async index => (Session: await live.OpenAsync($"talk-{index}"), Random: new Random(index))));
        var watching = talks.Select(async talk =>
        {
            List<CaptionUpdate> updates = [];
            await foreach (var update in talk.Session.WatchAsync(0, Cancelled))
            {
                updates.Add(update);
                shown.Writer.TryWrite(update);
            }

            return updates;
        }).ToArray();
        var talking = talks.Select(talk => Task.Run(async () =>
        {
            List<int> said = [];
            while (!done.Task.IsCompleted)
            {
                int[] words = [.. Enumerable.Range(0, talk.Random.Next(1, 6)).Select(_ => talk.Random.Next(SpokenAudio.Words))];
                await SendAsync(talk.Session, new SpokenAudio().Say(words).Silence(0.8));
                said.AddRange(words);
            }

            await talk.Session.EndAsync(Cancelled);
            return said;
        })).ToArray();

        for (var swap = 0; swap < Swaps; swap++)
        {
            // Each is seen in a caption before the next one.
            var id = adapters[swap % adapters.Length];
            await live.Registry.PromoteAsync(id, AdapterScope.All, "test", cancellationToken: Cancelled);
            await foreach (var update in shown.Reader.ReadAllAsync(Cancelled))
            {
                if (update.AdapterVersion == id)
                {
                    break;
                }
            }
        }

        done.SetResult();
        for (var index = 0; index < Sessions; index++)
        {
            var said = await talking[index];
            var updates = await watching[index];
            Assert.Equal(updates.Select(update => update.Sequence).Order(), updates.Select(update => update.Sequence));
            var committed = updates.Where(update => update.State == CaptionState.Committed && update.Text.Length > 0).ToArray();
            Assert.Equal(Enumerable.Range(1, committed.Length).Select(segment => (long)segment), committed.Select(update => update.SegmentId));
            Assert.Equal(said.Select(SpokenAudio.Name), committed.SelectMany(update => update.Text.Split(' ')).Select(word => word.Split('/')[0]));
            Assert.All(updates.Where(update => update.Text.Length > 0), update =>
                Assert.All(update.Text.Split(' '), word => Assert.Equal(update.AdapterVersion, word.Split('/')[1])));

            // What was tentative was made by what then made it final.
            Assert.All(updates.Where(update => update.Text.Length > 0).GroupBy(update => update.SegmentId), segment => Assert.Single(segment.Select(update => update.AdapterVersion).Distinct()));
        }

        Assert.Single(_recognizer.Threads);
        await EventuallyAsync(() => _recognizer.Resident.Count == 1, "adapters that nobody uses are taken off");
        Assert.Equal([adapters[(Swaps - 1) % adapters.Length]], _recognizer.Resident);
    }

    [Fact]
    public async Task Session_WithinAnUtterance_KeepsItsAdapterUntilTheNext()
    {
        await using var live = await StartAsync(_recognizer);
        var id = await AddAsync(live, "a");
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3));
        await EventuallyAsync(() => session.Captions is [{ Text.Length: > 0 }], "somebody speaks");
        await PromotedAsync(live, id);
        await SendAsync(session, new SpokenAudio().Say(4).Silence(1).Say(5).Silence(1));
        await session.EndAsync(Cancelled);
        Assert.Equal([("w1/base w2/base w3/base w4/base", "base"), ($"w5/{id}", id)], session.Captions.Select(caption => (caption.Text, caption.AdapterVersion)));
    }

    [Fact]
    public async Task Sessions_OfTenantsAndSpeakers_HaveTheAdapterOfTheNarrowestScope()
    {
        await using var live = await StartAsync(_recognizer);
        var (general, tenant, speaker, other) = (await AddAsync(live, "a"), await AddAsync(live, "b"), await AddAsync(live, "c"), await AddAsync(live, "d"));
        await PromotedAsync(live, general);
        await PromotedAsync(live, tenant, "tenant:clinic");
        await PromotedAsync(live, speaker, "speaker:anna");
        Assert.Equal(general, await HeardWithAsync(live, new StartSessionRequest()));
        Assert.Equal(tenant, await HeardWithAsync(live, new StartSessionRequest { Tenant = "clinic" }));
        Assert.Equal(tenant, await HeardWithAsync(live, new StartSessionRequest { Tenant = "clinic", Speaker = "berta", Adapter = "active" }));
        Assert.Equal(speaker, await HeardWithAsync(live, new StartSessionRequest { Tenant = "clinic", Speaker = "anna" }));
        Assert.Equal(other, await HeardWithAsync(live, new StartSessionRequest { Tenant = "clinic", Adapter = other }));
        Assert.Equal("base", await HeardWithAsync(live, new StartSessionRequest { Tenant = "clinic", Adapter = "none" }));

        // Taken back for the tenant, it has what everybody has.
        var running = await live.Sessions.StartSessionAsync(new StartSessionRequest { Tenant = "clinic" }, Cancelled);
        await ChangedAsync(live, () => live.Registry.RollBackAsync("tenant:clinic", "test"));
        Assert.Equal(general, await HeardWithAsync(live, running.SessionId));
        await EventuallyAsync(() => _recognizer.Resident.SequenceEqual([general]), "what no session leases is taken off");
    }

    [Fact]
    public async Task Session_OfAnAdapterThatIsNone_IsRefused()
    {
        await using var live = await StartAsync(_recognizer);
        var error = await Assert.ThrowsAsync<AsrException>(() => live.Sessions.StartSessionAsync(new StartSessionRequest { Adapter = "a9" }, Cancelled));
        Assert.Contains("there is no adapter 'a9'", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AsrException>(() => live.Sessions.StartSessionAsync(new StartSessionRequest { Tenant = "" }, Cancelled));
    }

    [Fact]
    public async Task Host_WhoseActiveAdapterIsDamaged_CaptionsWithTheBase_AndTakesAWholeOneUp()
    {
        var directory = Path.Combine(_scratch, "data");
        string damaged;
        using (var folder = DataFolder.Open(directory, TimeProvider.System))
        {
            var registry = new AdapterRegistry(folder);
            damaged = await AdapterFiles.AddAsync(registry, _scratch, "a");
            await registry.PromoteAsync(damaged, AdapterScope.All, "test", cancellationToken: Cancelled);
            Directory.Delete(Path.Combine(directory, "adapters", damaged), recursive: true);
        }

        await using var live = await StartAsync(_recognizer, directory: directory);
        Assert.Equal("base", await HeardWithAsync(live, new StartSessionRequest()));
        var broken = await AddAsync(live, "b");
        _recognizer.Broken.Add(broken);
        await PromotedAsync(live, broken);
        Assert.Equal("base", await HeardWithAsync(live, new StartSessionRequest()));
        var whole = await AddAsync(live, "c");
        await PromotedAsync(live, whole);
        Assert.Equal(whole, await HeardWithAsync(live, new StartSessionRequest()));
    }

    [Fact]
    public async Task Host_StartedOverAFolderWithAnActiveAdapter_BeginsWithIt()
    {
        var directory = Path.Combine(_scratch, "data");
        string id;
        using (var folder = DataFolder.Open(directory, TimeProvider.System))
        {
            var registry = new AdapterRegistry(folder);
            id = await AdapterFiles.AddAsync(registry, _scratch, "a");
            await registry.PromoteAsync(id, AdapterScope.All, "test", cancellationToken: Cancelled);
        }

        await using var live = await StartAsync(_recognizer, directory: directory);
        Assert.Equal(id, await HeardWithAsync(live, new StartSessionRequest()));
        Assert.Equal(id, live.Model.Snapshot.Info!.AdapterVersion);
    }

    [Fact]
    public async Task Promotion_ByAnotherProcess_IsFollowed()
    {
        await using var live = await StartAsync(_recognizer);
        var session = await live.OpenAsync();
        using var beside = DataFolder.OpenBeside(live.Folder.Directory, TimeProvider.System);
        var registry = new AdapterRegistry(beside);
        var id = await AdapterFiles.AddAsync(registry, _scratch, "a");
        await ChangedAsync(live, () => registry.PromoteAsync(id, AdapterScope.All, "by another process", cancellationToken: Cancelled));
        Assert.Equal(id, await HeardWithAsync(live, session.Id));
    }

    [Fact]
    public async Task File_BeingTranscribed_KeepsItsAdapterWhateverIsPromoted()
    {
        await using var live = await StartAsync(_recognizer);
        var (first, second) = (await AddAsync(live, "a"), await AddAsync(live, "b"));
        await PromotedAsync(live, first);
        _recognizer.Tones.Gate.Reset();
        var begun = _recognizer.Tones.Begun;
        var samples = new SpokenAudio().Say(1).Samples.Select(sample => sample / 32768f).ToArray();
        var transcribing = live.Model.TranscribeAsync(new MemoryAudioSource(samples, SpokenAudio.SampleRateHz), new TranscriptionOptions(), Cancelled);
        await EventuallyAsync(() => _recognizer.Tones.Begun > begun, "the file is being transcribed");
        var promoting = PromotedAsync(live, second);
        var waiting = live.Model.TranscribeAsync(new MemoryAudioSource(samples, SpokenAudio.SampleRateHz), new TranscriptionOptions(), Cancelled);
        _recognizer.Tones.Gate.Set();
        Assert.Equal(first, (await transcribing).AdapterVersion);
        Assert.Equal(first, (await waiting).AdapterVersion);
        await promoting;
        await EventuallyAsync(() => _recognizer.Resident.SequenceEqual([second]), "the first is taken off");
    }

    [Fact]
    public async Task ProvisionalAdapter_ThatPeopleCorrectMore_IsTakenBackWithTheReason()
    {
        var asked = new ConcurrentQueue<(WatchCounts Before, WatchCounts Since)>();
        await using var live = await StartAsync(_recognizer, watch: (before, since) =>
        {
            asked.Enqueue((before, since));
            return new WatchDecision(since.Corrections >= 2 ? WatchVerdict.RollBack : WatchVerdict.Watch, "people correct more since", 1);
        });
        var id = await AddAsync(live, "a");
        await HeardWithAsync(live, new StartSessionRequest { SessionId = "before" });
        await PromotedAsync(live, id, provisional: true);
        await HeardWithAsync(live, new StartSessionRequest { SessionId = "since" }, words: 3);
        await CorrectAsync(live, "before", "w1 base");
        await CorrectAsync(live, "since", "Other words, here");
        await ChangedAsync(live, () => CorrectAsync(live, "since", "again another", segment: 2));
        Assert.Null(live.Registry.ActiveId());
        Assert.Equal((AdapterState.RolledBack, "people correct more since"), (live.Registry.Get(id).State, live.Registry.Get(id).Reason));

        // "w1/base" and "w1 base" differ in nothing that is heard.
        Assert.Equal(new WatchCounts(0, 1), asked.Last().Before);
        Assert.Equal(new WatchCounts(2, 6), asked.Last().Since);
    }

    [Fact]
    public async Task ProvisionalAdapter_ThatHasProvedItself_IsWatchedNoMore()
    {
        await using var live = await StartAsync(_recognizer, watch: (_, _) => new WatchDecision(WatchVerdict.Confirm, "nothing spoke against it", 1));
        var id = await AddAsync(live, "a");
        await PromotedAsync(live, id, provisional: true);
        await EventuallyAsync(() => live.Registry.Get(id).State == AdapterState.Promoted, "it is confirmed");
        Assert.Equal(id, live.Registry.ActiveId());
        Assert.Equal("nothing spoke against it", live.Registry.Get(id).Reason);
    }

    private static async Task CorrectAsync(LiveHarness live, string session, string text, long segment = 1) => await live.Sessions.CorrectAsync(new()
    {
        Id = $"{session}-{segment}",
        SessionId = session,
        SegmentId = segment,
        Sequence = 1,
        Text = text,
    });

    private Task<string> AddAsync(LiveHarness live, string content) => AdapterFiles.AddAsync(live.Registry, _scratch, content);

    private static Task PromotedAsync(LiveHarness live, string id, string scope = AdapterScope.All, bool provisional = false) =>
        ChangedAsync(live, () => live.Registry.PromoteAsync(id, scope, "test", provisional, cancellationToken: Cancelled));

    /// <summary>Changes what is active, and waits until sessions get it.</summary>
    private static async Task ChangedAsync(LiveHarness live, Func<Task> change)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        live.Adapters.Promoted += Note;
        try
        {
            await change();
            await seen.Task.WaitAsync(Cancelled);
        }
        finally
        {
            live.Adapters.Promoted -= Note;
        }

        void Note(Activation activation) => seen.TrySetResult();
    }

    /// <summary>The adapter that a new session is heard with.</summary>
    private static async Task<string> HeardWithAsync(LiveHarness live, StartSessionRequest request, int words = 1) =>
        await HeardWithAsync(live, (await live.Sessions.StartSessionAsync(request, Cancelled)).SessionId, words);

    private static async Task<string> HeardWithAsync(LiveHarness live, string id, int words = 1)
    {
        var session = live.Sessions.Get(id);
        var audio = new SpokenAudio();
        for (var utterance = 0; utterance < (words == 1 ? 1 : 2); utterance++)
        {
            audio.Say([.. Enumerable.Repeat(1, words)]).Silence(1);
        }

        await SendAsync(session, audio);
        await live.Sessions.EndAsync(id, Cancelled);
        return Assert.Single(session.Captions.Select(caption => caption.AdapterVersion).Distinct());
    }
}
