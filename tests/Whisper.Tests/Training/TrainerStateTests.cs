using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class TrainerStateTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The fixture is indented by one space and ends without a line feed; the Trainer itself writes two and one.</summary>
    [Theory]
    [InlineData("full")]
    [InlineData("freeze")]
    [InlineData("lora")]
    [InlineData("dora_train")]
    public void ToJson_OfARealState_IsTheSameText(string run)
    {
        var original = File.ReadAllText(Fixtures.Path($"trainer/{run}/trainer_state.json"));
        var expected = string.Concat(original.Split('\n').Select(line => new string(' ', line.Length - line.TrimStart(' ').Length) + line + "\n"));
        Assert.Equal(expected, TrainerState.Parse(original).ToJson());
    }

    [Fact]
    public void Log_OfARun_IsTheRealOne()
    {
        var run = TrainerRun.Read("full");
        var plan = new TrainingPlan(run.Arguments with { LoggingSteps = 1 }, TrainerRun.DatasetSize, hasEvaluation: false);
        var original = TrainerState.Parse(File.ReadAllText(Fixtures.Path("trainer/full/trainer_state.json")));
        var state = TrainerState.Of(plan);
        foreach (var step in plan.Batches.From(0, ExampleSampler.Create(run.Arguments, TrainerRun.DatasetSize, null)).Take(plan.MaxSteps))
        {
            state.GlobalStep = step.Index + 1;
            state.Epoch = step.EpochAfter;
            state.Log(original.LogHistory[step.Index].Values);
        }

        state.TotalFlos = original.TotalFlos;
        state.Log(original.LogHistory[^1].Values);
        Assert.Equal(original.ToJson(), state.ToJson());
    }

    [Fact]
    public void Save_Evaluation_ReadsBack()
    {
        var state = new TrainerState { GlobalStep = 20, Epoch = 0.5, MaxSteps = 40, BestMetric = 33.33333333333333, BestGlobalStep = 20, BestModelCheckpoint = "out/ä/checkpoint-20" };
        state.Log(new Dictionary<string, double> { ["eval_wer"] = 33.33333333333333, ["eval_loss"] = double.NaN });
        state.Save(_folder.Root);
        var read = TrainerState.Load(_folder.Root);
        Assert.Equal(state.ToJson(), read.ToJson());
        Assert.Equal("out/ä/checkpoint-20", read.BestModelCheckpoint);
        Assert.True(double.IsNaN(read.LogHistory.Single().Values["eval_loss"]));
        var text = File.ReadAllText(_folder.File(TrainerState.FileName));
        Assert.Contains("      \"eval_loss\": NaN,\n      \"eval_wer\": 33.33333333333333,\n      \"step\": 20\n", text, StringComparison.Ordinal);
        Assert.Contains("  \"best_model_checkpoint\": \"out/\\u00e4/checkpoint-20\",\n", text, StringComparison.Ordinal);
    }

    // Python's repr.
    [Theory]
    [InlineData(0, "0.0")]
    [InlineData(1, "1.0")]
    [InlineData(-2.5, "-2.5")]
    [InlineData(1e-5, "1e-05")]
    [InlineData(3.3333333333333335e-05, "3.3333333333333335e-05")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00012345, "0.00012345")]
    [InlineData(205455360000, "205455360000.0")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1.2345678901234567e16, "1.2345678901234568e+16")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1e100, "1e+100")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(1234567.890625, "1234567.890625")]
    [InlineData(9007199254740993, "9007199254740992.0")]
    [InlineData(9.999999999999999e-05, "9.999999999999999e-05")]
    [InlineData(5.668143272399902, "5.668143272399902")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.NegativeInfinity, "-Infinity")]
    public void Number_Any_IsPythons(double value, string expected) => Assert.Equal(expected, PythonJson.Number(value));

    [Theory]
    [InlineData("", "is damaged")]
    [InlineData("{", "is damaged")]
    [InlineData("[]", "no JSON object")]
    [InlineData("{}", "\"global_step\" is missing")]
    [InlineData("{\"global_step\": 1.5}", "\"global_step\" is 1.5")]
    [InlineData("{\"global_step\": 1, \"max_steps\": 2}", "\"log_history\" is missing")]
    [InlineData("{\"global_step\": 1, \"max_steps\": 2, \"log_history\": [3]}", "something else than objects")]
    public void Load_Damaged_SaysSo(string text, string reason)
    {
        _folder.Write(TrainerState.FileName, text);
        Assert.Contains(reason, Assert.Throws<AsrException>(() => TrainerState.Load(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_Missing_SaysSo() => Assert.Throws<AsrException>(() => TrainerState.Load(_folder.Root));
}
