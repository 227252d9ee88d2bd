using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Live;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Learning.Memory;

public sealed class VocabularyStoreTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-05-01T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));
    private readonly DataFolder _folder;
    private readonly CorrectionStore _corrections;
    private readonly AdapterRegistry _adapters;
    private readonly DatabaseChanges _changes;
    private readonly FakeLogger<VocabularyStore> _log = new();
    private readonly Dictionary<long, string?> _tenants = [];
    private int _corrected;

    public VocabularyStoreTests()
    {
        _folder = DataFolder.OpenTemporary(_time);
        _corrections = new CorrectionStore(_folder, _time);
        _adapters = new AdapterRegistry(_folder);
        _changes = new DatabaseChanges(_folder, _time, NullLogger<DatabaseChanges>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await _changes.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Phrases_OfOwnAndOtherSessionsOfTheTenant_AreThereAndOthersAreNot()
    {
        using var store = Store();
        var (own, same, other, none) = (await SessionAsync("acme"), await SessionAsync("acme"), await SessionAsync("umbrella"), await SessionAsync(null));
        await CorrectAsync(own, "ownword");
        await CorrectAsync(same, "sameword");
        await CorrectAsync(other, "otherword");
        await CorrectAsync(none, "noword");
        await CorrectAsync(null, "imported");
        Assert.Equal(["imported", "ownword", "sameword"], Texts(store, own).Order());
        Assert.Equal(["imported", "otherword"], Texts(store, other).Order());
        Assert.Equal(["imported", "noword"], Texts(store, none).Order());
    }

    [Theory]
    [InlineData("stored", true)]
    [InlineData("ready", true)]
    [InlineData("held", false)]
    [InlineData("refused", false)]
    public async Task Phrases_OfACorrectionInAState_CountUnlessItIsHeldOrRefused(string state, bool counts)
    {
        using var store = Store();
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft", state);
        Assert.Equal(counts ? ["zenlacraft"] : [], Texts(store, session));
    }

    [Fact]
    public async Task Phrases_OfAWordThatTheRecogniserWritesItself_AreNotNew()
    {
        using var store = Store();
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft", hypothesis: "we heard the doctor sent it");
        await CorrectAsync(session, "doctor", hypothesis: "we heard the docked her");
        Assert.Equal(["zenlacraft"], Texts(store, session));
    }

    [Fact]
    public async Task Phrases_OverTheCap_KeepsWhatCountsMost()
    {
        using var store = Store(new MemoryOptions { MaximumPhrases = 3, HalfLife = TimeSpan.FromDays(1) });
        var session = await SessionAsync(null);
        foreach (var word in (string[])["oldest", "older", "twice", "newer", "twice", "newest"])
        {
            await CorrectAsync(session, word);
            _time.Advance(TimeSpan.FromHours(4));
        }

        // Two corrections of a day before count more than one of now.
        Assert.Equal(["twice", "newest", "newer"], Texts(store, session));
    }

    [Fact]
    public async Task Phrases_AsTimePasses_CountHalfAfterAHalfLifeAndAreForgottenInTheEnd()
    {
        using var store = Store(new MemoryOptions { HalfLife = TimeSpan.FromDays(2), MaximumAge = TimeSpan.FromDays(10) });
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft");
        using var memory = store.Open(Record(session), "base");
        Assert.Equal(1, Assert.Single(store.PhrasesOf(memory)).Score, 1e-9);
        _time.Advance(TimeSpan.FromDays(4));
        Assert.Equal(0.25, Assert.Single(store.PhrasesOf(memory)).Score, 1e-9);
        _time.Advance(TimeSpan.FromDays(7));
        Assert.Empty(store.PhrasesOf(memory));
    }

    [Fact]
    public async Task Phrases_ThatAreHeardAgain_StayLonger()
    {
        using var store = Store(new MemoryOptions { HalfLife = TimeSpan.FromDays(2), MaximumAge = TimeSpan.FromDays(10) });
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft");
        await CorrectAsync(session, "colalimits");
        using var memory = store.Open(Record(session), "base");
        _time.Advance(TimeSpan.FromDays(6));
        memory.Heard("base", "We sold the Zenlacraft.");
        _time.Advance(TimeSpan.FromDays(6));
        store.Refresh();
        Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
    }

    [Fact]
    public async Task Phrases_OnceTheAdapterWasTrainedOnTheirCorrection_RetireForThatAdapterAlone()
    {
        using var store = Store();
        var session = await SessionAsync(null);
        var learned = await CorrectAsync(session, "zenlacraft");
        await CorrectAsync(session, "colalimits");
        await AdapterAsync("a1", learned);
        using var memory = store.Open(Record(session), "base");
        Assert.Equal(["colalimits", "zenlacraft"], memory.Current!.Phrases.Order());
        memory.Heard("a1", "");
        Assert.Equal(["colalimits"], memory.Current.Phrases);

        // A later adapter that was not, and the base model, need help again; so does a word that is corrected once more.
        memory.Heard("a2", "");
        Assert.Equal(["colalimits", "zenlacraft"], memory.Current.Phrases.Order());
        memory.Heard("a1", "");
        await CorrectAsync(session, "zenlacraft");
        store.Refresh();
        Assert.Equal(["colalimits", "zenlacraft"], memory.Current.Phrases.Order());
    }

    [Fact]
    public async Task Session_WithHotwords_HasThemBeforeWhatIsRememberedAndWithoutMemoryAlone()
    {
        using var store = Store(new MemoryOptions { MaximumPhrases = 2 });
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft");
        await CorrectAsync(session, "colalimits");
        using var memory = store.Open(Record(session, "Ada", "Grace"), "base");
        Assert.Equal(["Ada", "Grace"], memory.Current!.Phrases);
        using var one = store.Open(Record(session, "Ada"), "base");
        Assert.Equal(2, one.Current!.Phrases.Count);
        Assert.Equal("Ada", one.Current.Phrases[0]);
        using var without = store.Open(Record(session, "Ada") with { Settings = Settings("Ada") with { Memory = false } }, "base");
        Assert.Equal(["Ada"], without.Current!.Phrases);
        using var nothing = store.Open(Record(session) with { Settings = Settings() with { Memory = false } }, "base");
        Assert.Null(nothing.Current);
        using var off = Store(new MemoryOptions { Enabled = false });
        using var switchedOff = off.Open(Record(session), "base");
        Assert.Null(switchedOff.Current);
    }

    [Fact]
    public async Task Session_WhoseWordsStayTheSame_KeepsWhatDecodersHavePrepared()
    {
        using var store = Store();
        var session = await SessionAsync(null);
        await CorrectAsync(session, "zenlacraft");
        using var memory = store.Open(Record(session), "base");
        var before = memory.Current;
        store.Refresh();
        Assert.Same(before, memory.Current);
        memory.Dispose();
        await CorrectAsync(session, "colalimits");
        store.Refresh();
        Assert.Same(before, memory.Current);
    }

    [Fact]
    public async Task Heard_CaptionsWhileNothingChanges_ReadsNothing()
    {
        using var store = Store();
        var session = await SessionAsync(null);
        var learned = await CorrectAsync(session, "zenlacraft");
        await AdapterAsync("a1", learned);
        using var memory = store.Open(Record(session), "base");

        // Whoever reads corrections from now on fails, and is logged.
        await _folder.Database.WriteAsync(connection => connection.Execute("ALTER TABLE correction RENAME TO elsewhere"));
        for (var i = 0; i < 20; i++)
        {
            memory.Heard("base", "We sold the Zenlacraft.");
            Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
            memory.Heard("a1", "We sold the Zenlacraft.");
            Assert.Null(memory.Current);
        }

        Assert.Equal(0, _log.Collector.Count);
        store.Refresh();
        Assert.Equal(1, _log.Collector.Count);
        memory.Heard("base", "");
        Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
    }

    [Fact]
    public async Task Session_AsCorrectionsChange_HasTheirWordsWithoutBeingAsked()
    {
        using var store = Store();
        using var memory = store.Open(Record(await SessionAsync(null)), "base");
        var number = await _corrections.ImportAsync(new float[16_000], "we heard zenlacraft", "we heard something", new CorrectionSource());
        Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
        await _corrections.ReviewAsync(number!.Value, isReleased: false);
        Assert.Null(memory.Current);
        await _corrections.ReviewAsync(number.Value, isReleased: true);
        Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
        await _corrections.DeleteAsync([number.Value], "it was deleted", show: null);
        Assert.Null(memory.Current);

        await _corrections.ImportAsync(new float[8_000], "we heard colalimits", "we heard something", new CorrectionSource());
        var held = Assert.Single(_corrections.List(default, null, 10));
        Assert.Equal(["colalimits"], memory.Current!.Phrases);
        Assert.True(await _corrections.JudgeAsync(held, new ScreeningVerdict(false, "it is another language", null)));
        Assert.Null(memory.Current);
    }

    [Fact]
    public async Task Session_WhenAnotherProcessCorrects_HasItsWordsAtTheNextLook()
    {
        using var store = Store();
        using var memory = store.Open(Record(await SessionAsync(null)), "base");
        var read = new TaskCompletionSource();
        await _changes.StartAsync(TestContext.Current.CancellationToken);
        _changes.Changed += () => read.TrySetResult();
        using (var beside = DataFolder.OpenBeside(_folder.Directory, _time))
        {
            await new CorrectionStore(beside, _time).ImportAsync(new float[16_000], "we heard zenlacraft", "we heard something", new CorrectionSource());
        }

        _time.Advance(DatabaseChanges.Interval);
        await read.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["zenlacraft"], memory.Current!.Phrases);
    }

    private VocabularyStore Store(MemoryOptions? options = null) =>
        new(_folder, _corrections, _adapters, _changes, Options.Create(options ?? new MemoryOptions()), _time, _log);

    private string[] Texts(VocabularyStore store, long session)
    {
        using var memory = store.Open(Record(session), "base");
        return [.. memory.Current?.Phrases ?? []];
    }

    private static SessionSettings Settings(params string[] hotwords) => new(16000, "en", TranscriptionTask.Transcribe, Hotwords: hotwords);

    private SessionRecord Record(long number, params string[] hotwords) => new()
    {
        Number = number,
        Id = $"s{number}",
        State = StoredState.Active,
        Settings = Settings(hotwords) with { Tenant = _tenants[number] },
        StartedAt = _time.GetUtcNow(),
        Samples = 0,
        LastSequence = 0,
        Segments = 0,
    };

    private async Task<long> SessionAsync(string? tenant)
    {
        var number = await _folder.Database.WriteAsync(connection => (long)connection.Scalar(
            "INSERT INTO session (id, state, settings, started_at, last_sequence) VALUES ($id, 'active', $settings, 0, 0) RETURNING number",
            ("$id", Guid.NewGuid().ToString("N")),
            ("$settings", tenant is null ? "{}" : $$"""{"tenant":"{{tenant}}"}"""))!);
        _tenants[number] = tenant;
        return number;
    }

    private Task<long> CorrectAsync(long? session, string word, string state = "stored", string hypothesis = "we heard something")
    {
        var id = $"c{_corrected++}";
        return _folder.Database.WriteAsync(connection => (long)connection.Scalar(
            """
            INSERT INTO correction (session, id, hypothesis, text, adapter_version, state, created_at)
            VALUES ($session, $id, $hypothesis, $text, 'base', $state, $created) RETURNING number
            """,
            ("$session", session),
            ("$id", id),
            ("$hypothesis", hypothesis),
            ("$text", $"we heard {word}"),
            ("$state", state),
            ("$created", _time.GetUtcNow().ToUnixTimeMilliseconds()))!);
    }

    private Task<int> AdapterAsync(string id, long correction) => _folder.Database.WriteAsync(connection =>
    {
        var number = (long)connection.Scalar(
            "INSERT INTO adapter (id, base, state, card, created_at) VALUES ($id, 'x', 'promoted', '{}', 0) RETURNING number",
            ("$id", id))!;
        return connection.Execute("INSERT INTO adapter_correction (adapter, correction) VALUES ($adapter, $correction)", ("$adapter", number), ("$correction", correction));
    });
}
