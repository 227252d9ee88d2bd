using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>What each argument changes in a run; those of the optimizer show in <see cref="TrainerRunTests"/>, resuming in <see cref="ResumeTests"/>.</summary>
public sealed class TrainingArgumentTests
{
    [Theory]
    [InlineData("fp16", "true", "CUDA")]
    [InlineData("adam-epsilon", "0", "adam-epsilon")]
    [InlineData("resume-from-checkpoint", "true", "no checkpoint")]
    public void Argument_ThatCannotBeUsedHere_IsRefusedWithTheReason(string name, string value, string mentioned)
    {
        using var output = new TemporaryFolder();
        var error = Assert.Throws<AsrException>(() => TrainerRuns.Train(Request(output, (name, value))));
        Assert.Contains(mentioned, error.Message);
        Assert.Contains($"--{name}", error.Message);
    }

    [Fact]
    public void Bf16_OnTheProcessor_TrainsWhereItGains_AndIsRefusedElsewhere()
    {
        using var output = new TemporaryFolder();
        try
        {
            TrainerRuns.Train(Request(output, ("bf16", "true")));
            Assert.NotEqual(Losses(), Losses(("bf16", "true")));
        }
        catch (AsrException refused)
        {
            // Which of both depends on LibTorch and the processor; a refusal says what was measured and what to do.
            Assert.Matches("--bf16 .* at (0[.][0-9]{2}|1[.]00) times the speed of float32 .* Leave it out", refused.Message);
        }
    }

    [Fact]
    public void Arguments_ThatContradictEachOther_AreRefused()
    {
        using var output = new TemporaryFolder();
        Assert.Contains("--ctc-weight", Assert.Throws<AsrException>(() => TrainerRuns.Train(Request(output, ("freeze-encoder", "true"), ("ctc-weight", "0.3")))).Message);
        var request = Request(output, ("freeze-encoder", "true")) with { Adapter = TrainerRuns.Adapter(null, """{"target_modules": ["q_proj"]}""") };
        Assert.Contains("--target-modules", Assert.Throws<AsrException>(() => TrainerRuns.Train(request)).Message);
    }

    [Theory]
    [InlineData("train-sampling-strategy", "random")]
    [InlineData("train-sampling-strategy", "group_by_length")]
    [InlineData("apply-spec-augment", "true")]
    [InlineData("frequency-warp", "0.2")]
    [InlineData("equalizer-db", "8")]
    [InlineData("ctc-weight", "0.5")]
    [InlineData("encoder-context", "dynamic")]
    [InlineData("label-smoothing-factor", "0.2")]
    [InlineData("per-device-train-batch-size", "3")]
    public void Argument_OfTheData_ChangesTheLosses(string name, string value)
    {
        Assert.NotEqual(Losses(), Losses((name, value)));
        Assert.Equal(Losses((name, value)), Losses((name, value)));
    }

    [Fact]
    public void Seed_OfRandomOrder_ChangesTheLosses()
    {
        Assert.NotEqual(Losses(("train-sampling-strategy", "random"), ("seed", "1")), Losses(("train-sampling-strategy", "random"), ("seed", "2")));
        Assert.NotEqual(Losses(("train-sampling-strategy", "random"), ("data-seed", "1")), Losses(("train-sampling-strategy", "random"), ("data-seed", "2")));
    }

    [Fact]
    public void MaskSettings_OfSpecAugment_ChangeTheLosses()
    {
        var settings = new[] { ("mask-time-prob", "0.3"), ("mask-time-length", "4"), ("mask-time-min-masks", "9"), ("mask-feature-prob", "0.3") };
        var losses = settings.Select(setting => Losses(("apply-spec-augment", "true"), setting)).Append(Losses(("apply-spec-augment", "true"))).ToList();
        Assert.Equal(losses.Count, losses.DistinctBy(values => string.Join(' ', values)).Count());
    }

    [Fact]
    public void NumTrainEpochs_WithoutMaxSteps_SaysTheSteps()
    {
        using var output = new TemporaryFolder();
        var request = Request(output, ("num-train-epochs", "2"));
        var outcome = TrainerRuns.Train(request with { Arguments = request.Arguments.Where(pair => pair.Key != "max-steps").ToDictionary() });
        Assert.Equal((6, 6), (outcome.Step, outcome.MaxSteps));
        Assert.Equal(2, TrainerState.Load(output.Root).Epoch);
    }

    [Fact]
    public void LoggingAndSavingSteps_DecideLinesAndFolders()
    {
        using var output = new TemporaryFolder();
        TrainerRuns.Train(Request(output, ("logging-steps", "2"), ("save-strategy", "steps"), ("save-steps", "1"), ("save-total-limit", "2"), ("report-to", "tensorboard")));
        var log = TrainerState.Load(output.Root).LogHistory;
        Assert.Equal([2, 4], log.Where(line => line.Values.ContainsKey("loss")).Select(line => line.Step));
        Assert.Contains("train_loss", log[^1].Values.Keys);
        Assert.Equal(["checkpoint-3", "checkpoint-4"], Directory.GetDirectories(output.Root, "checkpoint-*").Select(Path.GetFileName).Order());
        using var checkpoint = CheckpointWeights.Open(output.File("checkpoint-4"));
        Assert.NotEmpty(Directory.GetFiles(output.File("runs"), "events.out.tfevents.*"));
    }

    [Fact]
    public void AnOutputFolderWithCheckpoints_IsNotMixedWithANewRun()
    {
        using var output = new TemporaryFolder();
        TrainerRuns.Train(Request(output, ("save-strategy", "steps")));
        Assert.Contains("resume-from-checkpoint", Assert.Throws<AsrException>(() => TrainerRuns.Train(Request(output))).Message);
    }

    [Theory]
    [InlineData("false", 1)]
    [InlineData("true", 4)]
    public void LoadBestModelAtEnd_LeavesTheBestCheckpointsWeights(string greaterIsBetter, int expected)
    {
        // The evaluation's labels are other than those of training: its loss is lowest at first and highest at last.
        using var output = new TemporaryFolder();
        var request = Request(
            output,
            ("learning-rate", "0.01"),
            ("lr-scheduler-type", "constant"),
            ("eval-strategy", "steps"),
            ("eval-steps", "1"),
            ("save-strategy", "steps"),
            ("save-steps", "1"),
            ("save-total-limit", "1"),
            ("load-best-model-at-end", "true"),
            ("metric-for-best-model", "loss"),
            ("greater-is-better", greaterIsBetter)) with
        {
            Evaluation = new TestDataset([.. Enumerable.Range(0, 3).Select(index => Sample(index) with { Labels = [TrainerFixture.StartToken, 3, 5, 7, 9, 11] })]),
        };
        var outcome = TrainerRuns.Train(request);
        var losses = TrainerState.Load(output.Root).LogHistory.Where(line => line.Values.ContainsKey("eval_loss")).Select(line => line.Values["eval_loss"]).ToList();
        Assert.Equal((1, 4), (losses.IndexOf(losses.Min()) + 1, losses.IndexOf(losses.Max()) + 1));
        Assert.Equal(output.File($"checkpoint-{expected}"), outcome.BestCheckpoint);
        Assert.Equal(File.ReadAllBytes(Path.Combine(outcome.BestCheckpoint!, "model.safetensors")), File.ReadAllBytes(output.File("model.safetensors")));
        Assert.True(Directory.Exists(output.File("checkpoint-4")));
    }

    [Fact]
    public void EarlyStoppingPatience_WithLossesThatOnlyRise_EndsTheRunWithTheBestWeights()
    {
        using var output = new TemporaryFolder();
        var request = Request(
            output,
            ("max-steps", "9"),
            ("learning-rate", "0.01"),
            ("lr-scheduler-type", "constant"),
            ("eval-strategy", "steps"),
            ("eval-steps", "1"),
            ("save-strategy", "steps"),
            ("save-steps", "1"),
            ("load-best-model-at-end", "true"),
            ("early-stopping-patience", "2")) with
        {
            Evaluation = new TestDataset([.. Enumerable.Range(0, 3).Select(index => Sample(index) with { Labels = [TrainerFixture.StartToken, 3, 5, 7, 9, 11] })]),
        };
        var messages = new List<string?>();
        var outcome = TrainerRuns.Train(request, progress => messages.Add(progress.Event == TrainingEvent.Warning ? progress.Message : null));
        Assert.Equal((true, 3, 9, output.File("checkpoint-1")), (outcome.Completed, outcome.Step, outcome.MaxSteps, outcome.BestCheckpoint));
        Assert.Contains("Stopped early at step 3", Assert.Single(messages, message => message is not null));
        Assert.Equal(File.ReadAllBytes(output.File("checkpoint-1/model.safetensors")), File.ReadAllBytes(output.File("model.safetensors")));
        Assert.Equal(new EarlyStoppingState(2, 0, 2), TrainerState.Load(output.File("checkpoint-3")).EarlyStopping);

        // What has stopped stays stopped; with more patience it goes on from where it was.
        Assert.Equal(3, TrainerRuns.Train(request with { Arguments = new Dictionary<string, string>(request.Arguments) { ["resume-from-checkpoint"] = "true" } }).Step);
        var patient = new Dictionary<string, string>(request.Arguments) { ["resume-from-checkpoint"] = "true", ["early-stopping-patience"] = "3" };
        Assert.Equal(4, TrainerRuns.Train(request with { Arguments = patient }).Step);
    }

    [Fact]
    public void PerDeviceEvalBatchSize_WeightsTheLossByBatches()
    {
        // Hugging Face's trainer takes the mean of batch means, weighted by examples: other batches, another loss.
        var losses = new[] { "1", "3" }.Select(size =>
        {
            using var output = new TemporaryFolder();
            var request = Request(output, ("eval-strategy", "epoch"), ("per-device-eval-batch-size", size), ("max-steps", "1"), ("learning-rate", "0")) with
            {
                Evaluation = TestDataset.OfTrainerFixture(0, 1, 2),
            };
            return TrainerRuns.Train(request).Metrics["eval_loss"];
        }).ToList();
        var expected = TrainerFixture.Numbers(TrainerFixture.Json("forward/losses.json")["loss_per_example_float64"]!).Take(3).ToList();
        var tokens = TrainerFixture.Numbers(TrainerFixture.Json("forward/losses.json")["tokens_per_example"]!).Take(3).ToList();
        Assert.Equal(expected.Average(), losses[0], 1e-5);
        Assert.Equal(expected.Zip(tokens, (loss, count) => loss * count).Sum() / tokens.Sum(), losses[1], 1e-5);
    }

    [Fact]
    public void GenerationMaxLength_BoundsWhatAnEvaluationWrites()
    {
        // Four tokens are the prefix: 5 leave one token a text, and so at most one word; the model babbles on when it may.
        var model = Fixtures.Path("micro");
        var rates = new[] { "5", "40" }.Select(length =>
        {
            using var output = new TemporaryFolder();
            var request = Request(output, ("max-steps", "1"), ("learning-rate", "0"), ("per-device-train-batch-size", "1"), ("eval-strategy", "epoch"), ("predict-with-generate", "true"), ("generation-max-length", length)) with
            {
                ModelDirectory = model,
                Train = TestDataset.OfManifest("finetune/train.jsonl", model),
                Evaluation = TestDataset.OfManifest("finetune/eval.jsonl", model),
                Language = "en",
            };
            return TrainerRuns.Train(request).Metrics["eval_wer"];
        }).ToList();
        Assert.InRange(rates[0], 0, 100);
        Assert.NotEqual(rates[0], rates[1]);
    }

    [Fact]
    public void CtcUnits_OfTokens_NeedNoCharacters()
    {
        using var output = new TemporaryFolder();
        TrainerRuns.Train(Request(output, ("ctc-weight", "0.5"), ("ctc-units", "tokens"), ("save-strategy", "steps")));
        Assert.False(File.Exists(output.File("checkpoint-4/ctc_characters.json")));
        using var head = SafetensorsFile.Open(output.File("checkpoint-4/ctc_head.safetensors"));
        Assert.Equal([257, 32], head["ctc_head.weight"].Shape.ToArray());
    }

    [Fact]
    public void ALossThatIsNoNumber_EndsTheRunAndKeepsTheLastCheckpoint()
    {
        using var output = new TemporaryFolder();
        var samples = Enumerable.Range(0, 12).Select(index =>
        {
            var sample = Sample(index);
            return index < 8 ? sample : sample with { Features = new FeatureMatrix([.. sample.Features.Values.Select(_ => float.NaN)], 80, 200, 200) };
        });
        var error = Assert.Throws<AsrException>(() => TrainerRuns.Train(Request(output, ("save-strategy", "steps"), ("save-steps", "1")) with { Train = new TestDataset([.. samples]) }));
        Assert.Contains("Step 3", error.Message);
        Assert.Contains("checkpoint-2", error.Message);
        Assert.True(File.Exists(output.File("checkpoint-2/model.safetensors")));
    }

    [Fact]
    public void Train_ToTheEnd_LeavesNoTensor()
    {
        using var warm = new TemporaryFolder();
        TrainerRuns.Train(Request(warm));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var live = Tensor.TotalCount;
        using var output = new TemporaryFolder();
        TrainerRuns.Train(Request(output, ("ctc-weight", "0.5"), ("gradient-checkpointing", "true")) with
        {
            Adapter = TrainerRuns.Adapter(null, """{"target_modules": ["q_proj"]}"""),
        });
        Assert.Equal(live, Tensor.TotalCount);
    }

    private static TrainingSample Sample(int index) => TestDataset.OfTrainerFixture(index).Load(0);

    /// <summary>Four steps of four of twelve examples, of different lengths.</summary>
    private static TrainingRequest Request(TemporaryFolder output, params (string Name, string Value)[] arguments)
    {
        var all = new Dictionary<string, string>
        {
            ["per-device-train-batch-size"] = "4",
            ["max-steps"] = "4",
            ["learning-rate"] = "0.001",
            ["logging-steps"] = "1",
            ["save-strategy"] = "no",
            ["train-sampling-strategy"] = "sequential",
            ["report-to"] = "none",
        };
        foreach (var (name, value) in arguments)
        {
            all[name] = value;
        }

        var samples = TestDataset.OfTrainerFixture(Enumerable.Range(0, 12));
        return TrainerRuns.Request(output.Root, all, new TestDataset([.. Enumerable.Range(0, 12).Select(index =>
        {
            var sample = samples.Load(index);
            return sample with { Features = new FeatureMatrix(sample.Features.Values, 80, 200, 100 + (8 * ((index * 5) % 12))) };
        })]));
    }

    private static double[] Losses(params (string Name, string Value)[] arguments)
    {
        using var output = new TemporaryFolder();
        TrainerRuns.Train(Request(output, arguments));
        return [.. TrainerState.Load(output.Root).LogHistory.Where(line => line.Values.ContainsKey("loss")).Select(line => line.Values["loss"])];
    }
}
