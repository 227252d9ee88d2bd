using AsrPlatform.PluginConformance;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Plugins;

/// <summary>The suite passes a plugin without fault, and finds each fault that it is there to find.</summary>
[Collection(MeasuresMemory)]
public sealed class ConformanceSuiteTests : IDisposable
{
    private const string MeasuresMemory = "measures memory";

    private readonly string _model = Directory.CreateTempSubdirectory("asr-model-").FullName;

    public ConformanceSuiteTests() => File.WriteAllText(Path.Combine(_model, "config.json"), "{}");

    public void Dispose() => Directory.Delete(_model, recursive: true);

    [Fact]
    public void Run_GoodPlugin_PassesEveryCheck()
    {
        var checks = Run("None");

        Assert.All(checks, check => Assert.True(check.Outcome == CheckOutcome.Passed, $"{check.Name}: {check.Detail}"));
        Assert.Contains(checks, check => check.Name == "seq2seq: alignment");
        Assert.Contains(checks, check => check.Name == "recognizer: disposal");
    }

    [Theory]
    [InlineData("CacheIgnored", "seq2seq: steps with the cache equal one teacher-forced call")]
    [InlineData("ReorderIgnored", "seq2seq: reorder")]
    [InlineData("CountsIgnored", "seq2seq: rows of different counts")]
    [InlineData("TruncateIgnored", "seq2seq: truncate")]
    [InlineData("AlignmentNotNormalised", "seq2seq: alignment")]
    [InlineData("BatchDependent", "seq2seq: decode, rows do not touch each other")]
    [InlineData("Random", "seq2seq: decode, the same again")]
    [InlineData("BadInputAccepted", "seq2seq: refuses a token outside the vocabulary")]
    [InlineData("BrokenByBadInput", "seq2seq: refuses a negative token")]
    [InlineData("WrongException", "seq2seq: refuses too many frames")]
    [InlineData("Leaks", "seq2seq: memory does not grow")]
    [InlineData("InfoEmpty", "recognizer: info")]
    [InlineData("SilenceThrows", "recognizer: 1 s of silence")]
    [InlineData("TimesUnordered", "recognizer: 1 s of a tone")]
    [InlineData("CancellationIgnored", "recognizer: cancelled in the middle")]
    [InlineData("StateKept", "recognizer: the same again")]
    [InlineData("UsableAfterDispose", "recognizer: disposal")]
    public void Run_PluginWithADefect_FailsTheCheckForIt(string defect, string check)
    {
        var checks = Run(defect);

        Assert.Equal(CheckOutcome.Failed, checks.Single(candidate => candidate.Name == check).Outcome);
    }

    [Theory]
    [InlineData("throws-in-constructor", "load")]
    [InlineData("kind-missing", "load")]
    [InlineData("unknown-kind", "manifest")]
    [InlineData("not-json", "manifest")]
    public void Run_PluginThatDoesNotLoad_FailsThereAndEnds(string name, string check)
    {
        using var folder = new PluginsFolder();

        var checks = ConformanceSuite.Run(new ConformanceOptions { PluginDirectory = folder.Add(name) });

        Assert.Equal((check, CheckOutcome.Failed), (checks[^1].Name, checks[^1].Outcome));
        Assert.NotNull(checks[^1].Detail);
    }

    private IReadOnlyList<ConformanceCheck> Run(string defect) =>
        ConformanceSuite.Run(new ConformanceOptions
        {
            PluginDirectory = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "test-plugins", "good"),
            ModelDirectory = _model,
            Settings = new Dictionary<string, string> { ["Defect"] = defect },
        });

    /// <summary>The suite watches the memory of the process, in which no other test may run meanwhile.</summary>
    [CollectionDefinition(MeasuresMemory, DisableParallelization = true)]
    public sealed class Alone;
}
