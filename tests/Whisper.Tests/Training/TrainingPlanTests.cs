using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class TrainingPlanTests
{
    public static TheoryData<string> Runs => [.. TrainerRun.Names];

    [Fact]
    public void Runs_OfTheFixtures_AreAllHere() =>
        Assert.Equal(
            Directory.GetFiles(Fixtures.Path("trainer"), "run.json", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Fixtures.Path("trainer"), Path.GetDirectoryName(path)!).Replace('\\', '/')).Order(StringComparer.Ordinal),
            TrainerRun.Names);

    [Theory]
    [MemberData(nameof(Runs))]
    public void Steps_OfARealRun_HaveItsExamplesRatesAndEpochs(string name)
    {
        var run = TrainerRun.Read(name);
        var plan = new TrainingPlan(run.Arguments, TrainerRun.DatasetSize, hasEvaluation: false);
        Assert.Equal(run.Examples.Length, plan.MaxSteps);
        Assert.Equal(run.WarmupSteps, plan.WarmupSteps);
        var steps = plan.Batches.From(0, ExampleSampler.Create(run.Arguments, TrainerRun.DatasetSize, null)).Take(plan.MaxSteps).ToArray();
        Assert.Equal(run.Examples, steps.Select(step => step.MicroBatches));
        Assert.Equal(run.Epochs, steps.Select(step => step.EpochAfter));
        for (var step = 0; step < plan.MaxSteps; step++)
        {
            Assert.Equal(run.LearningRates[step], plan.LearningRate.Rate(step), 1e-12 * Math.Abs(run.LearningRates[step]));
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void From_AnyStep_GoesOnAsAnUnbrokenRun(string name)
    {
        var run = TrainerRun.Read(name);
        foreach (var strategy in Enum.GetValues<SamplingStrategy>())
        {
            var arguments = run.Arguments with { TrainSamplingStrategy = strategy };
            var plan = new TrainingPlan(arguments, TrainerRun.DatasetSize, hasEvaluation: false);
            var sampler = ExampleSampler.Create(arguments, TrainerRun.DatasetSize, [.. Enumerable.Range(0, TrainerRun.DatasetSize).Select(i => i * 7 % 11)]);
            var whole = plan.Batches.From(0, sampler).Take(20).ToArray();
            for (var done = 1; done < 20; done++)
            {
                var rest = plan.Batches.From(done, sampler).First();
                Assert.Equal(whole[done].MicroBatches, rest.MicroBatches);
                Assert.Equal((whole[done].Epoch, whole[done].EpochAfter, whole[done].EndsEpoch), (rest.Epoch, rest.EpochAfter, rest.EndsEpoch));
            }
        }
    }

    // transformers' Trainer.set_initial_training_values, by hand.
    [Theory]
    [InlineData(10, 4, 1, "1", 3, 1)]
    [InlineData(10, 4, 2, "1", 2, 1)]
    [InlineData(10, 4, 1, "2.5", 8, 3)]
    [InlineData(10, 4, 1, "0.1", 1, 1)]
    [InlineData(3, 8, 4, "3", 3, 3)]
    public void Plan_Epochs_GiveSteps(int examples, int batch, int accumulation, string epochs, int steps, int wholeEpochs)
    {
        var plan = new TrainingPlan(
            TrainingArgumentsTests.Parse(("per-device-train-batch-size", $"{batch}"), ("gradient-accumulation-steps", $"{accumulation}"), ("num-train-epochs", epochs)),
            examples,
            hasEvaluation: false);
        Assert.Equal((steps, wholeEpochs), (plan.MaxSteps, plan.NumTrainEpochs));
    }

    [Theory]
    [InlineData("0.3", 3)]
    [InlineData("0.31", 4)]
    [InlineData("1", 1)]
    [InlineData("0", 0)]
    public void WarmupSteps_BelowOne_AreAShareRoundedUp(string warmup, int expected) =>
        Assert.Equal(expected, new TrainingPlan(TrainingArgumentsTests.Parse(("warmup-steps", warmup), ("max-steps", "10")), 8, hasEvaluation: false).WarmupSteps);

    [Fact]
    public void Plan_DropLast_LeavesOutTheShortMicroBatch()
    {
        var arguments = TrainingArgumentsTests.Parse(("per-device-train-batch-size", "4"), ("dataloader-drop-last", "true"), ("train-sampling-strategy", "sequential"));
        var plan = new TrainingPlan(arguments, 10, hasEvaluation: false);
        Assert.Equal(2, plan.Batches.StepsPerEpoch);
        Assert.Equal([[4, 5, 6, 7]], plan.Batches.Step(1, [.. Enumerable.Range(0, 10)]).MicroBatches);
        Assert.True(plan.Batches.Step(1, [.. Enumerable.Range(0, 10)]).EndsEpoch);
        Assert.Throws<AsrException>(() => new TrainingPlan(arguments, 3, hasEvaluation: false));
    }

    [Fact]
    public void Plan_NothingToTrainOrEvaluateOn_IsRefused()
    {
        Assert.Throws<AsrException>(() => new TrainingPlan(new TrainingArguments(), 0, hasEvaluation: false));
        Assert.Contains(
            "--eval MANIFEST",
            Assert.Throws<AsrException>(() => new TrainingPlan(TrainingArgumentsTests.Parse(("eval-strategy", "steps")), 1, hasEvaluation: false)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void After_Steps_IsDueAtItsIntervalsAndAtTheEnd()
    {
        var plan = Plan(("max-steps", "7"), ("logging-steps", "2"), ("eval-strategy", "steps"), ("eval-steps", "3"), ("save-steps", "3"), ("logging-first-step", "true"));
        Assert.Equal([1, 2, 4, 6], Due(plan, due => due.Log));
        Assert.Equal([3, 6], Due(plan, due => due.Evaluate));
        Assert.Equal([3, 6, 7], Due(plan, due => due.Save));
        Assert.Equal([7], Due(plan, due => due.Stop));
    }

    [Fact]
    public void After_Shares_AreOfAllSteps()
    {
        var plan = Plan(("max-steps", "7"), ("logging-steps", "0.3"), ("eval-strategy", "steps"), ("save-strategy", "no"));
        Assert.Equal([3, 6], Due(plan, due => due.Log));
        Assert.Equal([3, 6], Due(plan, due => due.Evaluate));
        Assert.Empty(Due(plan, due => due.Save));
    }

    [Fact]
    public void After_Epochs_IsDueAtTheEndOfEach()
    {
        // 8 examples in twos: 4 steps an epoch.
        var plan = Plan(("max-steps", "6"), ("logging-strategy", "epoch"), ("eval-strategy", "epoch"), ("save-strategy", "epoch"), ("per-device-train-batch-size", "2"));
        Assert.Equal([4, 6], Due(plan, due => due.Log));
        Assert.Equal([4, 6], Due(plan, due => due.Evaluate));
        Assert.Equal([4, 6], Due(plan, due => due.Save));
    }

    [Fact]
    public void After_ExamplesToEvaluateOnWithoutAStrategy_AreUsedAtTheEnd()
    {
        Assert.Equal([3], Due(Plan(("max-steps", "3")), due => due.Evaluate));
        Assert.Empty(Due(new TrainingPlan(TrainingArgumentsTests.Parse(("max-steps", "3")), 8, hasEvaluation: false), due => due.Evaluate));
    }

    [Fact]
    public void After_SaveBest_AsksAtEvaluationsOnly()
    {
        var plan = Plan(("max-steps", "4"), ("eval-strategy", "steps"), ("eval-steps", "2"), ("save-strategy", "best"));
        Assert.Equal([2, 4], Due(plan, due => due.SaveIfBest));
        Assert.Empty(Due(plan, due => due.Save));
    }

    [Fact]
    public void Observe_ErrorRates_KeepsTheStrictlySmallest()
    {
        var arguments = TrainingArgumentsTests.Parse(("metric-for-best-model", "wer"), ("predict-with-generate", "true"));
        var state = new TrainerState();
        var best = new List<int>();
        foreach (var (wer, step) in new[] { double.NaN, 50, 40, 40, 45, 39 }.Select((wer, index) => (wer, index + 1)))
        {
            state.GlobalStep = step;
            if (BestModel.Observe(arguments, state, new Dictionary<string, double> { ["eval_loss"] = -step, ["eval_wer"] = wer }))
            {
                best.Add(step);
            }
        }

        Assert.Equal([2, 3, 6], best);
        Assert.Equal((39.0, 6), (state.BestMetric, state.BestGlobalStep));
        Assert.Throws<AsrException>(() => BestModel.Observe(arguments, state, new Dictionary<string, double> { ["eval_loss"] = 1 }));
    }

    [Fact]
    public void Observe_GreaterIsBetter_KeepsTheStrictlyLargest()
    {
        var arguments = TrainingArgumentsTests.Parse(("metric-for-best-model", "loss"), ("greater-is-better", "true"));
        var state = new TrainerState();
        Assert.Equal(
            [true, false, true],
            new[] { 1.0, 1.0, 2.0 }.Select(loss => BestModel.Observe(arguments, state, new Dictionary<string, double> { ["eval_loss"] = loss })));
        Assert.False(BestModel.Observe(new TrainingArguments(), state, new Dictionary<string, double>()));
    }

    private static TrainingPlan Plan(params (string, string)[] given) => new(TrainingArgumentsTests.Parse(given), 8, hasEvaluation: true);

    private static int[] Due(TrainingPlan plan, Func<DueActions, bool> what) =>
        [.. Enumerable.Range(0, plan.MaxSteps).Where(step => what(plan.After(plan.Batches.Step(step, [.. Enumerable.Range(0, 8)])))).Select(step => step + 1)];
}
