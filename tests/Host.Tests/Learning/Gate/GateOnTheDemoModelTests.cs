using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Learning.Gate;

/// <summary>The gate with a real model and real trainings: the demo model on its own replay set, whose texts are changed as people would.</summary>
public sealed class GateOnTheDemoModelTests(GateOnTheDemoModelTests.DemoModel demo, ITestOutputHelper output) : IClassFixture<GateOnTheDemoModelTests.DemoModel>, IDisposable
{
    private static readonly string[] German =
    [
        "heute regnet es den ganzen tag", "bitte nehmen sie zweimal täglich eine tablette", "der hund schläft unter dem tisch", "morgen fahren wir ans meer",
        "die kinder spielen im garten", "er hat seinen schlüssel verloren", "wir brauchen noch milch und brot", "das fenster steht weit offen",
        "sie liest jeden abend ein buch", "der zug kommt wieder zu spät", "im winter wird es früh dunkel", "ich habe keinen hunger mehr",
        "das auto muss in die werkstatt", "unsere nachbarn sind sehr nett", "der kaffee ist schon kalt", "man hört die vögel singen",
    ];

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("as they are", false)]
    [InlineData("shuffled", true)]
    [InlineData("wrong language", true)]
    public void CheckCorrections_OfAudioAndTexts_ObjectsToPoison(string kind, bool objects)
    {
        var rows = demo.Rows(16);
        var manifest = Write("corrections.jsonl", rows, (row, i) => kind switch
        {
            "shuffled" => rows[(i + 5) % rows.Length].Text,
            "wrong language" => German[i],
            _ => row.Text,
        });
        var (metrics, objection) = AdapterGate.CheckCorrections(demo.Recognizer, manifest, null, null, Cancelled);
        output.WriteLine(FormattableString.Invariant($"{kind}: {-metrics.Information!.Difference:0.00} nats per word, bound {-metrics.Information.High:0.00}; {objection}"));
        Assert.Equal(objects, objection is not null);
    }

    /// <summary>Corrections that all say: a capital first, a full stop last. A short training learns that from some for the others; one that does not train does not.</summary>
    [Theory]
    [InlineData("1.5e-3", GateVerdictName.Provisional)]
    [InlineData("1e-9", GateVerdictName.Rejected)]
    public void Decide_FewCorrections_AsTheTrainingTeaches(string learningRate, GateVerdictName expected)
    {
        var rows = demo.Rows(10);
        var manifest = Write("corrections.jsonl", rows, (row, _) => char.ToUpperInvariant(row.Text[0]) + row.Text[1..] + ".", hypothesis: row => row.Text);
        var trained = Train(manifest, _folder.File("candidate"), learningRate);
        using var candidate = demo.Add("candidate", trained);
        var decision = AdapterGate.Decide(
            demo.Recognizer,
            new GateRequest
            {
                Candidate = "candidate",
                Corrections = manifest,
                CrossTrainer = (part, folder, _) => Train(part, folder, learningRate),
                Adapters = demo.Adapters,
                WorkDirectory = _folder.File("work"),
                Settings = new GateSettings { Folds = 2 },
            },
            null,
            Cancelled);
        output.WriteLine(JsonSerializer.Serialize(decision, GateDecision.JsonForm));
        Assert.Equal(expected.ToString(), decision.Verdict.ToString());
        Assert.DoesNotContain("candidate-fold-1", demo.Recognizer.Info.Adapters);
    }

    /// <summary>A candidate of random weights neither learns nor passes for harmless.</summary>
    [Fact]
    public void Decide_RandomWeights_AreRejected()
    {
        var rows = demo.Rows(24);
        var manifest = Write("corrections.jsonl", rows[..12], (row, _) => row.Text);
        var anchor = Write("anchor.jsonl", rows[12..], (row, _) => row.Text);
        using var candidate = demo.Add("random", Train(manifest, _folder.File("random"), "0.3", steps: 2));
        var decision = AdapterGate.Decide(
            demo.Recognizer,
            new GateRequest { Candidate = "random", Corrections = manifest, HeldOut = manifest, Anchor = anchor },
            null,
            Cancelled);
        output.WriteLine(decision.Reason);
        Assert.Equal(GateVerdict.Rejected, decision.Verdict);
        Assert.StartsWith("it forgets", decision.Reason, StringComparison.Ordinal);
    }

    /// <summary>The verdict's name, for a public test's parameters.</summary>
    public enum GateVerdictName
    {
        /// <summary>As <see cref="GateVerdict.Provisional"/>.</summary>
        Provisional,

        /// <summary>As <see cref="GateVerdict.Rejected"/>.</summary>
        Rejected,
    }

    private string Write(string name, ManifestEntry[] rows, Func<ManifestEntry, int, string> text, Func<ManifestEntry, string>? hypothesis = null) => _folder.Write(
        name,
        string.Join('\n', rows.Select((row, i) => JsonSerializer.Serialize(
            new { audio = row.AudioPath, start = row.StartSeconds, end = row.EndSeconds, text = text(row, i), hypothesis = hypothesis?.Invoke(row), language = "en", kind = "correction" },
            GateDecision.JsonForm))));

    /// <summary>A few steps of LoRA on every linear layer.</summary>
    private string Train(string manifest, string folder, string learningRate, int steps = 8)
    {
        var settings = TrainSettings.Read(
            new Dictionary<string, string>
            {
                ["model"] = demo.Model,
                ["train"] = manifest,
                ["output-dir"] = folder,
                ["cache-dir"] = _folder.File("cache"),
                ["target-modules"] = "all-linear",
                ["lora-r"] = "8",
                ["lora-alpha"] = "16",
                ["max-steps"] = steps.ToString(CultureInfo.InvariantCulture),
                ["per-device-train-batch-size"] = "5",
                ["learning-rate"] = learningRate,
                ["encoder-context"] = "dynamic",
                ["apply-spec-augment"] = "false",
                ["save-strategy"] = "no",
                ["report-to"] = "none",
                ["device"] = "cpu",
                ["threads"] = "1",
            },
            null,
            demo.Model);
        TrainRun.Execute(settings, demo.Trainer, demo.Adapters, null, quiet: true, Cancelled);
        return folder;
    }

    /// <summary>The demo model, and what trains it.</summary>
    public sealed class DemoModel : IAsyncDisposable
    {
        private readonly PluginCatalog? _plugins;
        private readonly WhisperRecognizer? _recognizer;

        public DemoModel()
        {
            var plugins = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "plugins");
            Model = Path.Combine(Fixtures.RepositoryRoot, "models", "demo");
            if (!Directory.Exists(plugins) || !File.Exists(Replay))
            {
                return;
            }

            _plugins = PluginCatalog.Load(
                new PluginHostOptions { Directory = plugins, SharedDirectory = Path.Combine(plugins, "..", "shared") }, new ConfigurationBuilder().Build());
            _recognizer = (WhisperRecognizer)RecognizerLoader.Load(
                _plugins, new ModelRequest("torch", new ModelLoadOptions { ModelDirectory = Model, Device = "cpu", Threads = 1 }, null), Cancelled);
        }

        internal string Model { get; }

        internal WhisperRecognizer Recognizer
        {
            get
            {
                Assert.SkipWhen(_recognizer is null, $"{Replay} or the plugins are not there: run eng/build.sh.");
                return _recognizer!;
            }
        }

        internal ITrainer Trainer => _plugins!.Get<ITrainer>();

        internal IAdapterProvider Adapters => _plugins!.Get<IAdapterProvider>();

        private string Replay => Path.Combine(Model, "anchor", "replay.jsonl");

        internal ManifestEntry[] Rows(int count)
        {
            _ = Recognizer;
            return [.. Manifest.Read(Replay).Entries.Take(count)];
        }

        internal IDisposable Add(string name, string folder) => new WhisperGateModel(Recognizer, Adapters).Add(name, folder);

        public async ValueTask DisposeAsync()
        {
            _recognizer?.Dispose();
            if (_plugins is not null)
            {
                await _plugins.DisposeAsync();
            }
        }
    }
}
