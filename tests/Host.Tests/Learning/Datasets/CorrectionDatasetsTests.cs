using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Datasets;

namespace AsrPlatform.Host.Tests.Learning.Datasets;

public sealed class CorrectionDatasetsTests : IDisposable
{
    private readonly LearningFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Build_TheSameCorrections_HasTheSameHashWhereverItLies()
    {
        using var other = new LearningFolder();
        foreach (var folder in (LearningFolder[])[_folder, other])
        {
            for (var index = 0; index < 5; index++)
            {
                await folder.AddAsync($"text {index}", speaker: "anna");
            }
        }

        var first = await BuildAsync(_folder, _folder.MakeAnchor());
        var second = await BuildAsync(other, other.MakeAnchor("elsewhere"));
        Assert.Equal(first.Hash, second.Hash);
        Assert.Equal(64, first.Hash.Length);
        Assert.Equal(Path.Combine(_folder.Directory, "datasets", first.Hash), first.Directory);

        // Any word of it counts.
        await other.AddAsync("another text", speaker: "anna");
        Assert.NotEqual(first.Hash, (await BuildAsync(other, other.File("elsewhere"))).Hash);
        Assert.NotEqual(first.Hash, (await BuildAsync(_folder, anchor: null)).Hash);
    }

    [Fact]
    public async Task Build_WithAnchorAndLearned_PutsEveryRowIntoItsManifest()
    {
        var numbers = new List<long>();
        for (var index = 0; index < 6; index++)
        {
            numbers.Add(await _folder.AddAsync($"text {index}", "heard", "anna", "medicine"));
        }

        await _folder.AddAsync("somebody else's", state: "held");
        var dataset = await BuildAsync(_folder, _folder.MakeAnchor(), learned: [numbers[0], numbers[1]], without: [numbers[5]]);
        Assert.Equal(numbers[2..5], LearningFolder.Rows(dataset, CorrectionDataset.Train).Select(row => row.Number!.Value));
        Assert.Empty(LearningFolder.Rows(dataset, CorrectionDataset.HeldOut));
        var replay = LearningFolder.Rows(dataset, CorrectionDataset.Replay);
        Assert.Equal(["correction", "correction", "replay", "replay", "replay", "replay"], replay.Select(row => row.Kind));
        Assert.Equal(["anchor number 0", "anchor number 1", "anchor number 2", "anchor number 3"], LearningFolder.Rows(dataset, CorrectionDataset.Anchor).Select(row => row.Text));
        Assert.Equal(numbers[..5], dataset.Corrections);
        var row = LearningFolder.Rows(dataset, CorrectionDataset.Train)[0];
        Assert.Equal(("heard", "anna", "medicine", "en", 1.0), (row.Hypothesis, row.Speaker, row.Domain, row.Language, row.Weight));

        // What reads manifests reads them.
        foreach (var manifest in (string[])[CorrectionDataset.Train, CorrectionDataset.Replay, CorrectionDataset.Anchor])
        {
            var read = Manifest.Read(dataset.PathOf(manifest));
            Assert.Empty(read.Dropped);
            Assert.Equal(dataset.Rows[manifest], read.Entries.Count);
        }
    }

    /// <summary>Three of four words stood, and the model was equally sure of all.</summary>
    [Theory]
    [InlineData(null, 0.95)]
    [InlineData(2.0, 1.06)]
    public async Task Build_CorrectionsWithConfidences_WeighByHowFarTheyWereOff(double? temperature, double expected)
    {
        const string Words = """[{"text":"take","start":0,"end":0.2,"confidence":0.9},{"text":"two","start":0.2,"end":0.4,"confidence":0.9},{"text":"small","start":0.4,"end":0.6,"confidence":0.9},{"text":"tablets","start":0.6,"end":0.8,"confidence":0.9}]""";
        if (temperature is { } divisor)
        {
            Directory.CreateDirectory(Path.Combine(_folder.Directory, "confidence"));
            await File.WriteAllTextAsync(
                Path.Combine(_folder.Directory, "confidence", "base.json"),
                FormattableString.Invariant($$"""{"adapterVersion":"base","method":"temperature","temperature":{{divisor}},"words":100,"right":50,"captions":10,"before":{},"after":{},"fittedAt":"2030-01-01T00:00:00Z"}"""),
                Cancelled);
        }

        var known = await _folder.AddAsync("take ten small tablets", "take two small tablets", words: Words);
        await _folder.AddAsync("call ten tall tablets", "take two small tablets", words: Words);
        await _folder.AddAsync("nobody knows how sure");
        var dataset = await BuildAsync(_folder, _folder.MakeAnchor(), learned: [known]);

        // Whoever replays it keeps it as it is; without words nothing is known.
        Assert.Equal(1, LearningFolder.Rows(dataset, CorrectionDataset.Replay)[0].Weight);
        var train = LearningFolder.Rows(dataset, CorrectionDataset.Train);
        Assert.Equal(1, train[1].Weight);
        Assert.NotEqual(1, train[0].Weight);

        dataset = await BuildAsync(_folder, anchor: null);
        Assert.Equal(expected, LearningFolder.Rows(dataset, CorrectionDataset.Train)[0].Weight);
        Assert.Equal([expected, train[0].Weight, 1], Manifest.Read(dataset.PathOf(CorrectionDataset.Train)).Entries.Select(entry => entry.Weight));
        Assert.True(train[0].Weight > expected, "three wrong words tell more than one");
    }

    [Fact]
    public async Task Build_AnAnchorsUtterances_AreThoseStretchesOfItsFile()
    {
        await _folder.AddAsync("text");
        var dataset = await BuildAsync(_folder, _folder.MakeAnchor());
        using var reader = new UtteranceReader(Path.Combine(_folder.File("anchor"), "replay.wav"));
        foreach (var (index, row) in LearningFolder.Rows(dataset, CorrectionDataset.Replay).Index())
        {
            using var unpacked = new UtteranceReader(Path.GetFullPath(row.Audio, dataset.Directory));
            Assert.Equal(reader.Read(index, index + 1, 100_000), unpacked.Read(0, null, 100_000));
        }
    }

    [Fact]
    public async Task Build_Again_MovesNobodyAndHoldsOutOfTheNewOnes()
    {
        for (var index = 0; index < 40; index++)
        {
            await _folder.AddAsync($"a{index} b{index} c{index}", speaker: "anna");
        }

        await BuildAsync(_folder, anchor: null);
        var before = _folder.Sides();
        Assert.All(before.Values, side => Assert.Equal("train", side));
        for (var index = 40; index < 100; index++)
        {
            await _folder.AddAsync($"a{index} b{index} c{index}", speaker: "anna");
        }

        var dataset = await BuildAsync(_folder, anchor: null);
        var after = _folder.Sides();
        Assert.All(before, pair => Assert.Equal(pair.Value, after[pair.Key]));
        Assert.Equal(20, after.Values.Count(side => side == "held-out"));
        Assert.Equal(20, dataset.Rows[CorrectionDataset.HeldOut]);
        Assert.Empty(LearningFolder.Rows(dataset, CorrectionDataset.Train).Select(row => row.Number).Intersect(LearningFolder.Rows(dataset, CorrectionDataset.HeldOut).Select(row => row.Number)));
    }

    [Fact]
    public async Task Build_NothingNew_SaysSo()
    {
        var error = await Assert.ThrowsAsync<AsrException>(() => BuildAsync(_folder, anchor: null));
        Assert.StartsWith("there is nothing to learn", error.Message, StringComparison.Ordinal);
        var number = await _folder.AddAsync("known");
        error = await Assert.ThrowsAsync<AsrException>(() => BuildAsync(_folder, anchor: null, learned: [number]));
        Assert.StartsWith("there is nothing new to learn", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_ADataset_CanBeReadElsewhere()
    {
        await _folder.AddAsync("text one");
        await _folder.AddAsync("text two");
        var dataset = await BuildAsync(_folder, _folder.MakeAnchor());
        var target = _folder.File("exported");
        CorrectionDatasets.Export(dataset, target);
        Directory.Delete(Path.Combine(_folder.Directory, "clips"), recursive: true);
        Directory.Delete(Path.Combine(_folder.Directory, "cache"), recursive: true);
        Assert.Equal(["text one", "text two"], Manifest.Read(Path.Combine(target, "train.jsonl")).Entries.Select(entry => entry.Text));
        Assert.Equal(4, Manifest.Read(Path.Combine(target, "replay.jsonl")).Entries.Count);
        Assert.True(File.Exists(Path.Combine(target, "dataset.json")));
        Assert.Contains("is not empty", Assert.Throws<AsrException>(() => CorrectionDatasets.Export(dataset, target)).Message, StringComparison.Ordinal);
    }

    private static Task<CorrectionDataset> BuildAsync(LearningFolder folder, string? anchor, long[]? learned = null, long[]? without = null) =>
        new CorrectionDatasets(folder.Data).BuildAsync(
            new DatasetRequest(
                new DatasetSettings(),
                (learned ?? []).ToHashSet(),
                (without ?? []).ToHashSet(),
                anchor is null ? null : AnchorSet.Open(anchor, folder.Directory, Cancelled)),
            Cancelled);
}
