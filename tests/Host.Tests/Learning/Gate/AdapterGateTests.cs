using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Learning.Gate;

/// <summary>The gate's way to a decision, over a model whose hearing is simulated.</summary>
public sealed class AdapterGateTests : IDisposable
{
    private static readonly string[] Rare = ["metoprolol", "lisinopril", "warfarin", "ramipril", "digoxin"];
    private static readonly string[] German = ["heute", "nehmen", "sie", "zweimal", "eine", "kleine", "dosis", "ein", "morgens", "abends", "bitte", "nicht"];
    private static readonly string[] Common = ["take", "the", "dose", "twice", "before", "every", "meal", "with", "water", "and", "rest", "today", "please", "call", "nurse", "again"];

    private readonly TemporaryFolder _folder = new();
    private readonly SimulatedModel _model = new SimulatedModel().With(null, word => !Rare.Contains(word)).With("candidate", _ => true);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Decide_ManyHeldOutAndTheRareWordsLearned_Promotes()
    {
        var decision = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: Anchor(20));
        Assert.Equal(GateVerdict.Promoted, decision.Verdict);
        Assert.Equal("heldOut", decision.Metrics.Evidence);
        Assert.Equal(0, decision.Metrics.HeldOutWerAfter);
        Assert.InRange(decision.Metrics.HeldOutWerBefore!.Value, 0.15, 0.25);
        Assert.True(decision.Metrics.HeldOut!.High < 0);
        Assert.Equal((0.0, 0.0), (decision.Metrics.AnchorWerBefore, decision.Metrics.AnchorWerAfter));
        Assert.Equal(-2.7 / 5, decision.Metrics.Likelihood!.Difference, 1e-9);
        Assert.Contains("→ 0.0 % of words wrong on 12 held-out corrections", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_ManyHeldOutAndNothingLearned_Rejects()
    {
        _model.With("candidate", word => !Rare.Contains(word));
        var decision = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: Anchor(20));
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.StartsWith("not surely better", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_FewCorrectionsWhoseWordsHelpEachOther_PromotesProvisionally()
    {
        // What is left out has a word that the other parts teach.
        _model.Trained = folder => WordsOf(Path.Combine(folder, "..", "train.jsonl"));
        var decision = Decide(Sentences(10), anchor: Anchor(20), train: Train);
        Assert.Equal(GateVerdict.Provisional, decision.Verdict);
        Assert.Equal(("crossValidation", 4), (decision.Metrics.Evidence, decision.Metrics.Folds));
        Assert.True(decision.Metrics.Likelihood!.High < 0);
        Assert.True(decision.Metrics.Margin!.High < 0);
        Assert.Equal(10, decision.Metrics.HeldOut!.Utterances);
        Assert.Equal(0, decision.Metrics.HeldOutWerAfter);
        Assert.Equal(["candidate-fold-1", "candidate-fold-2", "candidate-fold-3", "candidate-fold-4"], _model.Removed);

        // Every correction was left out once, and trained on by the others.
        var folds = Enumerable.Range(1, 4).Select(fold => Manifest.Read(_folder.File($"work/fold-{fold}/train.jsonl")).Entries.Select(entry => entry.Text).ToArray()).ToArray();
        Assert.Equal(30, folds.Sum(fold => fold.Length));
        Assert.All(folds, fold => Assert.InRange(fold.Length, 7, 8));
    }

    [Fact]
    public void Decide_FewCorrectionsThatDoNotHelpEachOther_Rejects()
    {
        _model.Trained = _ => word => !Rare.Contains(word);
        var decision = Decide(Sentences(10), anchor: Anchor(20), train: Train);
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.StartsWith("what is learned from some corrections does not surely help", decision.Reason, StringComparison.Ordinal);
    }

    /// <summary>Every rare word is heard now, and each of the texts is likelier, by a hundredth of a nat per word: sure, and next to nothing.</summary>
    [Theory]
    [InlineData(0.35, false)]
    [InlineData(0.45, true)]
    public void Decide_ASureGainThatIsNextToNothing_IsNotPromoted(double unknown, bool isEnough)
    {
        _model.Unknown = unknown;
        _model.Trained = folder => WordsOf(Path.Combine(folder, "..", "train.jsonl"));
        var heldOut = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: Anchor(20));
        var crossValidated = Decide(Sentences(10), anchor: Anchor(20), train: Train);
        Assert.Equal((isEnough ? GateVerdict.Promoted : GateVerdict.Rejected, isEnough ? GateVerdict.Provisional : GateVerdict.Rejected), (heldOut.Verdict, crossValidated.Verdict));
        foreach (var decision in (GateDecision[])[heldOut, crossValidated])
        {
            Assert.Equal(-(unknown - 0.3) / 5, decision.Metrics.Likelihood!.Difference, 1e-9);
            Assert.True(decision.Metrics.Likelihood.Improves(0.95));
            Assert.Equal(!isEnough, decision.Reason.StartsWith("next to nothing is gained: 0.010 nats per word", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Decide_TooFewCorrections_SaysHowManyItNeeds()
    {
        var decision = Decide(Sentences(4), anchor: Anchor(20), train: Train);
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Contains("4 of the 5 needed", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_EqualTexts_AreLeftOutTogether()
    {
        _model.Trained = folder => WordsOf(Path.Combine(folder, "..", "train.jsonl"));
        Decide([.. Sentences(8), .. Sentences(8)], train: Train);
        for (var fold = 1; fold <= 4; fold++)
        {
            var texts = Manifest.Read(_folder.File($"work/fold-{fold}/train.jsonl")).Entries.GroupBy(entry => entry.Text);
            Assert.All(texts, group => Assert.Equal(2, group.Count()));
        }
    }

    [Fact]
    public void Decide_ACandidateThatForgets_IsRejected()
    {
        _model.With("candidate", word => word != "nurse" && word != "water");
        var decision = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: Anchor(40));
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.StartsWith("it forgets", decision.Reason, StringComparison.Ordinal);
        Assert.True(decision.IsHarm);
        Assert.True(decision.Metrics.Anchor!.Low > 0);
        Assert.Null(decision.Metrics.HeldOut);
    }

    [Fact]
    public void Decide_ALittleWorseThanTheVersionsBeforeButFarFromTheBase_IsRejected()
    {
        _model.With("active", word => word != "nurse" && word != "water");
        _model.With("candidate", word => word != "nurse" && word != "water");
        var decision = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: Anchor(40), active: "active");
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Contains("since the base model", decision.Reason, StringComparison.Ordinal);
        Assert.Equal(0, decision.Metrics.Anchor!.Difference);
    }

    [Fact]
    public void Decide_WordsInventedInSilence_AreNotPassed()
    {
        _model.InSilence = version => version == "candidate" ? "thank you" : "";
        var decision = Decide(Sentences(20), heldOut: Sentences(12, 100), anchor: [.. Anchor(10), .. Enumerable.Range(0, 5).Select(_ => _model.Row(_folder, ""))]);
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Equal(new SilenceMetrics(5, 0, 5, 0, 10), decision.Metrics.Silence);
        Assert.Contains("in 5 of 5 silent clips (10 words)", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_OneSpeakerHarmed_IsRejected()
    {
        // A word that only one speaker says is lost; everybody's rare words are learned.
        _model.With("candidate", word => word != "mañana");
        string[] heldOut = [.. Sentences(20, 100), .. Enumerable.Range(0, 8).Select(i => _model.Row(_folder, $"call {Common[i]} mañana {Common[i + 3]}", speaker: "ana"))];
        var decision = Decide(Sentences(20), heldOut, Anchor(20));
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Contains("speaker \"ana\"", decision.Reason, StringComparison.Ordinal);
        Assert.Equal(["bob", "ana"], decision.Metrics.Slices!.Select(slice => slice.Name).OrderDescending());
    }

    [Theory]
    [InlineData("shuffled")]
    [InlineData("constant")]
    [InlineData("wrong language")]
    public void Decide_APoisonedSet_IsRejected(string poison)
    {
        // The candidate has learned the poison perfectly; what was held out is poisoned alike.
        _model.With("candidate", _ => true);
        var said = Enumerable.Range(0, 32).Select(Sentence).ToArray();
        string Poison(int i) => poison switch
        {
            "shuffled" => said[(i + 7) % said.Length],
            "constant" => "subscribe to my channel",
            _ => string.Join(' ', Enumerable.Range(0, 5).Select(j => German[(i + (j * 5) + (i * j)) % German.Length])),
        };
        string[] rows = [.. said.Select((text, i) => _model.Row(_folder, text, Poison(i), _model.Heard(text, null)))];
        var decision = Decide(rows[..20], rows[20..], Anchor(20));
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Contains(poison == "constant" ? "have the same text" : "they seem to be of other captions", decision.Reason, StringComparison.Ordinal);

        // Without the hypotheses it is the model that tells.
        string[] bare = [.. said.Select((text, i) => _model.Row(_folder, text, Poison(i)))];
        decision = Decide(bare[..20], bare[20..], Anchor(20));
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.Contains(poison == "constant" ? "have the same text" : "hardly likelier given their own audio", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_CorrectionsOfTheirCaptions_LookSane()
    {
        var metrics = Decide(Sentences(20), Sentences(12, 100)).Metrics.Corrections!;
        Assert.Equal(20, metrics.Corrections);
        Assert.True(metrics.Similarity > metrics.SimilarityOfOthers + 0.2);
        Assert.Equal(0.001, metrics.SimilarityPValue!.Value, 1e-9);
        Assert.InRange(metrics.Information!.Difference, -8, -3);
    }

    [Fact]
    public void Decide_TheSameTwice_IsTheSame()
    {
        string[] corrections = Sentences(20), heldOut = Sentences(12, 100), anchor = Anchor(20);
        var first = Decide(corrections, heldOut, anchor);
        var second = Decide(corrections, heldOut, anchor);
        Assert.Equal(
            JsonSerializer.Serialize(first with { Metrics = first.Metrics with { Seconds = 0 } }, GateDecision.JsonForm),
            JsonSerializer.Serialize(second with { Metrics = second.Metrics with { Seconds = 0 } }, GateDecision.JsonForm));
    }

    [Fact]
    public void Json_OfADecision_HasEveryNumberInCamelCase()
    {
        var json = JsonSerializer.SerializeToNode(Decide(Sentences(20), Sentences(12, 100), Anchor(20)), GateDecision.JsonForm)!;
        Assert.Equal("promoted", (string?)json["verdict"]);
        var metrics = json["metrics"]!;
        Assert.Equal(0, (double)metrics["heldOutWerAfter"]!);
        Assert.Equal(12, (int)metrics["heldOut"]!["utterances"]!);
        Assert.Equal(0.95, (double)metrics["settings"]!["level"]!);
        Assert.Equal("bob", (string?)metrics["slices"]!.AsArray().Single()!["name"]);
        Assert.Equal(-0.54, (double)metrics["likelihood"]!["difference"]!, 1e-9);
        Assert.Equal(0.02, (double)metrics["settings"]!["minimumGain"]!);
        Assert.Null(metrics["margin"]);
    }

    [Fact]
    public void Decide_SettingsThatCannotBe_AreRefused()
    {
        var error = Assert.Throws<AsrException>(() => AdapterGate.Decide(
            _model,
            new GateRequest { Candidate = "candidate", Corrections = "none.jsonl", Settings = new GateSettings { Level = 95 } },
            null,
            TestContext.Current.CancellationToken));
        Assert.Contains("Level must be between 0.5 and 1", error.Message, StringComparison.Ordinal);
        Assert.Contains("MinimumGain must be 0 or more", Assert.Throws<AsrException>(new GateSettings { MinimumGain = -1 }.Validate).Message, StringComparison.Ordinal);
    }

    private GateDecision Decide(string[] corrections, string[]? heldOut = null, string[]? anchor = null, CrossTrainer? train = null, string? active = null) => AdapterGate.Decide(
        _model,
        new GateRequest
        {
            Candidate = "candidate",
            Active = active,
            Corrections = _folder.Write("corrections.jsonl", string.Join('\n', corrections)),
            HeldOut = _folder.Write("held-out.jsonl", string.Join('\n', heldOut ?? [])),
            Anchor = anchor is null ? null : _folder.Write("anchor.jsonl", string.Join('\n', anchor)),
            CrossTrainer = train,
            WorkDirectory = _folder.File("work"),
        },
        null,
        TestContext.Current.CancellationToken);

    private static string Train(string manifest, string output, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(output);
        return output;
    }

    private static Func<string, bool> WordsOf(string manifest)
    {
        var words = Manifest.Read(manifest).Entries.SelectMany(entry => entry.Text.Split(' ')).ToHashSet();
        return word => words.Contains(word) || !Rare.Contains(word);
    }

    private string[] Sentences(int count, int from = 0) =>
        [.. Enumerable.Range(from, count).Select(i => _model.Row(_folder, Sentence(i), hypothesis: _model.Heard(Sentence(i), null), speaker: "bob"))];

    private string[] Anchor(int count) => [.. Enumerable.Range(0, count).Select(i => _model.Row(_folder, string.Join(' ', Enumerable.Range(0, 6).Select(j => Common[(i + (j * 3)) % Common.Length]))))];

    /// <summary>Four common words and a rare one.</summary>
    private static string Sentence(int i)
    {
        var random = new Random(i);
        return string.Join(' ', random.GetItems(Common, 2).Append(Rare[i % Rare.Length]).Concat(random.GetItems(Common, 2)));
    }
}
