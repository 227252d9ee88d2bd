using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Confidence;

namespace AsrPlatform.Host.Tests.Learning.Confidence;

public sealed class ConfidenceStoreTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private readonly DataFolder _folder = DataFolder.OpenTemporary(TimeProvider.System);
    private readonly ConfidenceStore _store;
    private long _sequence;

    public ConfidenceStoreTests()
    {
        _store = new ConfidenceStore(_folder);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Fit_CorrectedCaptions_TakesTheirWordsAndThoseReadPast()
    {
        await SessionAsync(1, "talk");

        // Sure words are right in four of five cases, doubtful ones in one of five; captions 1 to 20 are corrected but for two.
        for (var segment = 1; segment <= 24; segment++)
        {
            await CaptionAsync(1, segment, Enumerable.Range(0, 10).Select(i => ($"w{i}", i < 5 ? 0.95 : 0.5)));
            if (segment is not (7 or 8) && segment <= 20)
            {
                await CorrectAsync(1, segment, string.Join(' ', Enumerable.Range(0, 10).Select(i => i % 5 == segment % 5 == i < 5 ? $"other{i}" : $"w{i}")));
            }
        }

        var (fitted, leftOut) = _store.Fit(Now);
        var map = Assert.Single(fitted);
        Assert.Empty(leftOut);
        Assert.Equal(("base", 200, 20), (map.AdapterVersion, map.Words, map.Captions));
        Assert.InRange(map.Apply(0.95), 0.76, 0.9);
        Assert.InRange(map.Apply(0.5), 0.2, 0.4);
        Assert.True(map.After.CalibrationError < map.Before.CalibrationError);

        // Stored as it was fitted.
        var read = Assert.Single(_store.Read());
        Assert.Equal(JsonSerializer.Serialize(map), JsonSerializer.Serialize(read));
        Assert.NotNull(_store.ChangedAt);
    }

    [Fact]
    public async Task Fit_HeldAndRefusedCorrections_AreLeftOut()
    {
        await SessionAsync(1, "talk");
        for (var segment = 1; segment <= 12; segment++)
        {
            await CaptionAsync(1, segment, Enumerable.Range(0, 10).Select(i => ($"w{i}", 0.8)));
            await CorrectAsync(1, segment, "something else altogether", state: segment % 2 == 0 ? "held" : "ready");
        }

        var map = Assert.Single(_store.Fit(Now).Fitted);
        Assert.Equal((60, 6), (map.Words, map.Captions));
    }

    [Fact]
    public async Task Fit_OfAVersionWithFewWords_SaysSo()
    {
        await SessionAsync(1, "talk");
        await CaptionAsync(1, 1, [("fox", 0.8)], version: "a1");
        await CorrectAsync(1, 1, "box");
        var (fitted, leftOut) = _store.Fit(Now);
        Assert.Empty(fitted);
        Assert.Contains("a1", Assert.Single(leftOut), StringComparison.Ordinal);
        Assert.Empty(_store.Read());
    }

    [Fact]
    public async Task Suggest_RecentCaptions_PutsThoseWithMostProbableErrorsFirst()
    {
        await SessionAsync(1, "talk");
        await SessionAsync(2, "other");
        await CaptionAsync(1, 1, [("sure", 0.99), ("words", 0.98)]);
        await CaptionAsync(1, 2, [("doubtful", 0.3), ("word", 0.9)]);
        await CaptionAsync(1, 3, [("worse", 0.2), ("words", 0.2)]);
        await CorrectAsync(1, 3, "corrected already");
        await CaptionAsync(2, 1, [("elsewhere", 0.1), ("too", 0.1)]);

        var all = _store.Suggest(null, 10, new ConfidenceMaps());
        Assert.Equal([("other", 1L), ("talk", 2L), ("talk", 1L)], all.Select(item => (item.SessionId, item.SegmentId)));
        Assert.Equal(0.8, all[1].ExpectedWrong, 1e-9);
        Assert.Equal(("doubtful word", 0.3), (all[1].Text, all[1].Words[0].Confidence));
        Assert.Equal(2, _store.Suggest("talk", 10, new ConfidenceMaps()).Count);
        Assert.Single(_store.Suggest(null, 1, new ConfidenceMaps()));
        Assert.Empty(_store.Suggest("none", 10, new ConfidenceMaps()));
    }

    [Fact]
    public void Read_ADamagedFile_NamesIt()
    {
        var directory = Directory.CreateDirectory(Path.Combine(_folder.Directory, "confidence"));
        File.WriteAllText(Path.Combine(directory.FullName, "base.json"), "{");
        Assert.Contains("base.json cannot be read", Assert.Throws<AsrException>(_store.Read).Message, StringComparison.Ordinal);
    }

    private Task SessionAsync(long number, string id) => _folder.Database.WriteAsync(connection => connection.Execute(
        "INSERT INTO session (number, id, state, settings, started_at, last_sequence) VALUES ($number, $id, 'ended', '{}', 0, 0)", ("$number", number), ("$id", id)));

    private Task CaptionAsync(long session, long segment, IEnumerable<(string Word, double Confidence)> words, string version = "base") =>
        WriteAsync(session, segment, 1, "committed", [.. words.Select(word => new CaptionWord(word.Word, 0, 1, word.Confidence))], null, version);

    private async Task CorrectAsync(long session, long segment, string text, string state = "ready")
    {
        await WriteAsync(session, segment, 2, "corrected", [], text, "base");
        await _folder.Database.WriteAsync(connection => connection.Execute(
            """
            INSERT INTO correction (session, id, segment, seen_sequence, sequence, hypothesis, text, adapter_version, state, created_at)
            VALUES ($session, $id, $segment, 1, $sequence, 'old', $text, 'base', $state, 0)
            """,
            ("$session", session),
            ("$id", $"c{segment}"),
            ("$segment", segment),
            ("$sequence", _sequence),
            ("$text", text),
            ("$state", state)));
    }

    private Task WriteAsync(long session, long segment, int revision, string state, CaptionWord[] words, string? text, string version) => _folder.Database.WriteAsync(connection => connection.Execute(
        """
        INSERT INTO caption (session, sequence, segment, revision, state, text, words, adapter_version, start_sample, end_sample)
        VALUES ($session, $sequence, $segment, $revision, $state, $text, $words, $version, 0, 1)
        """,
        ("$session", session),
        ("$sequence", ++_sequence),
        ("$segment", segment),
        ("$revision", revision),
        ("$state", state),
        ("$text", text ?? string.Join(' ', words.Select(word => word.Text))),
        ("$words", JsonSerializer.Serialize(words, JsonSerializerOptions.Web)),
        ("$version", version)));
}
