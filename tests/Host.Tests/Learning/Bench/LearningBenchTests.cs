using System.Text.Json;
using System.Xml.Linq;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Learning.Bench;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Learning.Bench;

public sealed class LearningBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Run_ALearnerThatLearnsWords_GainsOnThemAlone()
    {
        var world = new World(_folder.Root);
        var sequence = Assert.Single(Run(world, 10, "medicines", "products"));
        Assert.Equal([GateVerdict.Promoted, GateVerdict.Promoted], sequence.Stages.Select(stage => stage.Decision));
        Assert.All(sequence.Stages, stage =>
        {
            Assert.Equal((10, 40, 40L), (stage.Corrections, stage.Before.Utterances, stage.Before.Errors));
            Assert.Equal(0, stage.After.Errors);
            Assert.Equal(stage.Base, stage.Before);
            Assert.True(stage.Seconds >= 7);
        });

        // Nothing is known of the second before it is learned, and nothing of the first is lost by then.
        Assert.Equal((0.0, 0.0), (sequence.ForwardTransfer!.Value, sequence.BackwardTransfer!.Value));
        Assert.Equal(0, sequence.AnchorChange!.Value);
        Assert.Equal((0.0, 0.0), (LearningTransfer.IntervalOfBackward([sequence])!.Low, LearningTransfer.IntervalOfAnchor([sequence])!.High));
        Assert.Equal([null, "a1", "a2"], world.Used.Distinct());
    }

    [Fact]
    public void Run_FewerCorrectionsThanWords_IsEvaluatedOnWhatWasCorrected()
    {
        var stage = Assert.Single(Assert.Single(Run(new World(_folder.Root), 5, "medicines")).Stages);
        Assert.Equal((5, 20, 20L, 0L), (stage.Corrections, stage.Before.Utterances, stage.Before.Errors, stage.After.Errors));
        Assert.InRange(stage.Wer["medicines"], 0.01, 0.3);
    }

    [Fact]
    public void Run_WhatIsHeardRight_IsNotCorrected()
    {
        var world = new World(_folder.Root);
        var domain = world.Speak("medicines");
        world.Known.UnionWith(domain.Corrections.Take(4).Select(utterance => utterance.Word!));
        world.Bench().Run([(1, [domain])], [6], _ => { }, TestContext.Current.CancellationToken);
        var rows = File.ReadAllLines(_folder.File("seed-1-corrections-6/medicines.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(domain.Corrections.Skip(4).Take(6).Select(utterance => utterance.Entry.Text), rows.Select(row => row.GetProperty("text").GetString()));
        Assert.All(rows, row => Assert.Contains("what", row.GetProperty("hypothesis").GetString()));
        Assert.All(rows, row => Assert.Equal("medicines", row.GetProperty("domain").GetString()));
    }

    [Fact]
    public void Run_ARejectedCandidate_ChangesNothingAndIsCounted()
    {
        var world = new World(_folder.Root) { Decision = GateVerdict.Rejected };
        var result = new LearningBenchResult { Model = "m", Sequences = Run(world, 10, "medicines") };
        var stage = Assert.Single(Assert.Single(result.Sequences).Stages);
        Assert.Equal(stage.Before, stage.After);
        Assert.Equal([null], world.Used.Distinct());
        Assert.Equal((1, 1, 0.0), (result.Domains[0].Rejected, result.Domains[0].Rounds, result.Domains[0].RelativeReduction));
        Assert.Contains("1/1", BenchLearning.ToText(result));
    }

    [Fact]
    public void Run_ALearnerThatForgets_ShowsInBackwardTransferAndAnchor()
    {
        var world = new World(_folder.Root) { Forgets = true };
        var sequence = Assert.Single(Run(world, 10, "medicines", "products"));
        Assert.True(sequence.BackwardTransfer < -5);
        Assert.True(sequence.AnchorChange > 0.5);
        var text = BenchLearning.ToText(new LearningBenchResult { Model = "m", Sequences = [sequence] });
        Assert.Contains("backward transfer −", text);
        Assert.Contains("anchor set, relative +", text);
        Assert.Equal(2, text.Split(" (95 %: ").Length - 1);

        // Every word of the first domain is forgotten: more than chance, and the interval holds the figure.
        var interval = LearningTransfer.IntervalOfBackward([sequence])!;
        Assert.True(interval.IsSure);
        Assert.InRange(sequence.BackwardTransfer!.Value, interval.Low, interval.High);
        var kept = Assert.Single(sequence.Kept);
        Assert.Equal((LearningDomain.Words, 0.0, 40.0), (kept.Count, kept.Sum(cost => cost.Before), kept.Sum(cost => cost.After)));
    }

    [Fact]
    public void Interval_LossesThatOneWordMakesUp_MayBeChance()
    {
        // Two words forgotten and two gained of ten; then one alone; then all.
        Assert.False(Interval(4, 4, -4, -4, 0, 0, 0, 0, 0, 0).IsSure);
        Assert.False(Interval(4, 0, 0, 0, 0, 0, 0, 0, 0, 0).IsSure);
        Assert.True(Interval(4, 4, 3, 4, 2, 4, 4, 1, 4, 4) is { IsSure: true, High: < 0 });
        Assert.Equal(Interval(4, 0, 1, 0, 0, 0, 0, 0, 2, 0), Interval(4, 0, 1, 0, 0, 0, 0, 0, 2, 0));
        Assert.Null(TransferInterval.Of([], _ => 0));

        static TransferInterval Interval(params int[] lost) => TransferInterval.Of(
            [[.. lost.Select(errors => new PairedCost(4, 4 + errors, 24))]],
            sums => 100 * (sums[0].Before - sums[0].After) / sums[0].Words)!;
    }

    [Fact]
    public void Result_OfSeveralSeeds_IsTheMeanOfThem_InJsonAndPicture()
    {
        var good = Assert.Single(Run(new World(_folder.Root), 10, "medicines", "products"));
        var bad = Assert.Single(Run(new World(_folder.Root) { Decision = GateVerdict.Rejected }, 10, "medicines", "products"));
        var result = new LearningBenchResult { Model = "m", Sequences = [good, bad with { Seed = 2 }] };
        Assert.Equal(["medicines", "products"], result.Domains.Select(summary => summary.Domain));
        Assert.All(result.Domains, summary => Assert.Equal(0.5, summary.RelativeReduction, 1e-9));
        using var json = JsonDocument.Parse(result.ToJson());
        Assert.Equal(2, json.RootElement.GetProperty("sequences").GetArrayLength());
        Assert.Equal(0.5, json.RootElement.GetProperty("domains")[0].GetProperty("relativeReduction").GetDouble(), 1e-9);
        Assert.Equal(10, json.RootElement.GetProperty("transfers")[0].GetProperty("corrections").GetInt32());
        Assert.Equal("promoted", json.RootElement.GetProperty("sequences")[0].GetProperty("stages")[0].GetProperty("decision").GetString());

        XNamespace svg = "http://www.w3.org/2000/svg";
        var picture = XDocument.Parse(LearningBenchChart.Draw(result)).Root!;
        Assert.Equal(2 * 3, picture.Descendants(svg + "rect").Count(bar => bar.Attribute("fill")!.Value != "#fff"));
        Assert.Contains(picture.Descendants(svg + "text"), text => text.Value == "−50 %");
        Assert.Equal(2, picture.Descendants(svg + "path").Count(path => path.Attribute("stroke")!.Value == "#c2410c"));
    }

    [Fact]
    public void Read_WhatLearnWrites_OrSaysThatItIsNone()
    {
        var round = LearningVerbs.Read("""{"decision": "provisional", "adapter": "x7", "reason": "better", "seconds": 3.5, "metrics": {"heldOutWerBefore": 0.5}}""");
        Assert.Equal((GateVerdict.Provisional, "x7", "better", true), (round.Decision, round.Adapter, round.Reason, round.IsLive));
        Assert.Equal(0.5, round.Metrics!.Value.GetProperty("heldOutWerBefore").GetDouble());
        Assert.False(LearningVerbs.Read("""{"decision": "rejected", "adapter": "x8", "reason": "worse"}""").IsLive);
        Assert.Throws<AsrException>(() => LearningVerbs.Read("nothing"));
        Assert.Throws<AsrException>(() => LearningVerbs.Read("{}"));
    }

    private static IReadOnlyList<LearningSequence> Run(World world, int count, params string[] domains) =>
        world.Bench().Run([(1, [.. domains.Select(world.Speak)])], [count], _ => { }, TestContext.Current.CancellationToken);

    /// <summary>A model that hears every word that it knows, and "what" for others; adapters know more words.</summary>
    private sealed class World(string folder) : IBenchModel, ILearner
    {
        private readonly Dictionary<string, HashSet<string>> _adapters = [];
        private HashSet<string> _learned = [];

        public GateVerdict Decision { get; init; } = GateVerdict.Promoted;

        /// <summary>Knows what it learned last and nothing else, and hears general speech half as well.</summary>
        public bool Forgets { get; init; }

        public HashSet<string> Known { get; } = [];

        public List<string?> Used { get; } = [];

        public LearningBench Bench() => new(this, this, [Entry("one two three", 1), Entry("what is four", 2), Entry("unheard words", 3)], folder);

        public DomainData Speak(string name)
        {
            var texts = LearningDomain.Find(name).Make(1);
            return new DomainData(texts.Domain, Utterances(texts.Corrections), Utterances(texts.Evaluation));

            DomainUtterance[] Utterances(IReadOnlyList<DomainText> part) =>
                [.. part.Select((text, index) => new DomainUtterance(Entry(text.Text, index) with { Domain = name, Speaker = text.Word }, text.Word))];
        }

        public void Use(string? adapter)
        {
            var name = adapter is null ? null : Path.GetFileName(adapter);
            Used.Add(name);
            _learned = name is null ? [] : _adapters[name];
        }

        public IReadOnlyList<string> Hear(IReadOnlyList<ManifestEntry> entries, CancellationToken cancellationToken) => [.. entries.Select(entry =>
            entry.Speaker is { } word
                ? Known.Contains(word) || _learned.Contains(word) ? entry.Text : entry.Text.Replace(word, "what", StringComparison.Ordinal)
                : Forgets && _learned.Count > 0 ? "what" : entry.Text.Replace("unheard", "what", StringComparison.Ordinal))];

        public LearnedRound Learn(string dataDirectory, string manifest, CancellationToken cancellationToken)
        {
            var words = File.ReadLines(manifest).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("speaker").GetString()!);
            var name = $"a{_adapters.Count + 1}";
            _adapters[name] = [.. words, .. Forgets ? [] : _learned];
            Directory.CreateDirectory(Path.Combine(dataDirectory, "adapters", name));
            return new LearnedRound(Decision, name, "because", null, 7, 5);
        }

        private static ManifestEntry Entry(string text, int row) => new() { Row = row, AudioPath = $"/{row}.wav", AudioName = $"{row}.wav", Text = text, Language = "en" };
    }
}
