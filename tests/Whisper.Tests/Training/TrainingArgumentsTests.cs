using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class TrainingArgumentsTests
{
    [Fact]
    public void Parse_Nothing_GivesHuggingFacesDefaults()
    {
        var arguments = Parse();
        Assert.Equal(8, arguments.PerDeviceTrainBatchSize);
        Assert.Equal(8, arguments.PerDeviceEvalBatchSize);
        Assert.Equal(1, arguments.GradientAccumulationSteps);
        Assert.Equal(5e-5, arguments.LearningRate);
        Assert.Equal(0, arguments.WarmupSteps);
        Assert.Equal(-1, arguments.MaxSteps);
        Assert.Equal(3, arguments.NumTrainEpochs);
        Assert.Equal(IntervalStrategy.No, arguments.EvalStrategy);
        Assert.Equal(SaveStrategy.Steps, arguments.SaveStrategy);
        Assert.Equal(500, arguments.SaveSteps);
        Assert.Equal(500, arguments.LoggingSteps);
        Assert.Null(arguments.EvalSteps);
        Assert.Null(arguments.SaveTotalLimit);
        Assert.Equal((0.9, 0.999, 1e-8), (arguments.AdamBeta1, arguments.AdamBeta2, arguments.AdamEpsilon));
        Assert.Equal(1, arguments.MaxGradNorm);
        Assert.Equal(42, arguments.Seed);
        Assert.Equal(LrSchedulerType.Linear, arguments.LrSchedulerType);
        Assert.Equal(AccumulationNormalization.Token, arguments.AccumulationNormalization);
        Assert.Null(arguments.MetricForBestModel);
        Assert.False(arguments.ReportToTensorBoard);
    }

    /// <summary>The well-known recipe for Whisper, as it is written in Python and in YAML.</summary>
    [Fact]
    public void Parse_TheUsualRecipe_TakesEffect()
    {
        var arguments = Parse(
            ("per_device_train_batch_size", "16"), ("gradient_accumulation_steps", "1"), ("learning_rate", "1e-5"), ("warmup_steps", "500"),
            ("max_steps", "4000"), ("gradient_checkpointing", "True"), ("fp16", "True"), ("eval_strategy", "steps"),
            ("per_device_eval_batch_size", "8"), ("predict_with_generate", "True"), ("generation_max_length", "225"), ("save_steps", "1000"),
            ("eval_steps", "1000"), ("logging_steps", "25"), ("report_to", "[\"tensorboard\"]"), ("load_best_model_at_end", "True"),
            ("metric_for_best_model", "wer"), ("greater_is_better", "False"));
        Assert.Equal(
            new TrainingArguments
            {
                PerDeviceTrainBatchSize = 16,
                LearningRate = 1e-5,
                WarmupSteps = 500,
                MaxSteps = 4000,
                GradientCheckpointing = true,
                Fp16 = true,
                EvalStrategy = IntervalStrategy.Steps,
                PredictWithGenerate = true,
                GenerationMaxLength = 225,
                SaveSteps = 1000,
                EvalSteps = 1000,
                LoggingSteps = 25,
                ReportToTensorBoard = true,
                LoadBestModelAtEnd = true,
                MetricForBestModel = "wer",
                LrSchedulerKwargs = arguments.LrSchedulerKwargs,
            },
            arguments);
    }

    /// <summary>One value other than the default for every argument.</summary>
    private static readonly (string Name, string Value, string[] With)[] Values =
    [
        ("output-dir", "out", []),
        ("per-device-train-batch-size", "3", []),
        ("per-device-eval-batch-size", "3", []),
        ("gradient-accumulation-steps", "3", []),
        ("data-parallel", "2", ["gradient-accumulation-steps=4"]),
        ("accumulation-normalization", "mean_of_means", []),
        ("learning-rate", "0.001", []),
        ("warmup-steps", "0.25", []),
        ("max-steps", "7", []),
        ("num-train-epochs", "1.5", []),
        ("gradient-checkpointing", "true", []),
        ("fp16", "true", []),
        ("bf16", "true", []),
        ("eval-strategy", "epoch", []),
        ("eval-steps", "7", []),
        ("predict-with-generate", "true", []),
        ("generation-max-length", "99", ["predict-with-generate=true"]),
        ("save-strategy", "no", []),
        ("save-steps", "0.5", []),
        ("save-total-limit", "2", []),
        ("logging-strategy", "epoch", []),
        ("logging-steps", "1", []),
        ("logging-first-step", "true", []),
        ("report-to", "tensorboard", []),
        ("load-best-model-at-end", "true", ["eval-strategy=steps", "metric-for-best-model=loss"]),
        ("metric-for-best-model", "loss", []),
        ("early-stopping-patience", "2", ["load-best-model-at-end=true", "eval-strategy=steps"]),
        ("early-stopping-threshold", "0.5", ["load-best-model-at-end=true", "eval-strategy=steps", "early-stopping-patience=2"]),
        ("greater-is-better", "true", ["metric-for-best-model=loss"]),
        ("lr-scheduler-type", "cosine", []),
        ("lr-scheduler-kwargs", "{\"num_cycles\":\"2\"}", ["lr-scheduler-type=cosine"]),
        ("weight-decay", "0.1", []),
        ("adam-beta1", "0.8", []),
        ("adam-beta2", "0.98", []),
        ("adam-epsilon", "1E-06", []),
        ("max-grad-norm", "0", []),
        ("seed", "1", []),
        ("data-seed", "2", []),
        ("label-smoothing-factor", "0.1", []),
        ("freeze-encoder", "true", []),
        ("train-sampling-strategy", "group_by_length", []),
        ("dataloader-drop-last", "true", []),
        ("resume-from-checkpoint", "true", []),
        ("apply-spec-augment", "true", []),
        ("mask-time-prob", "0.1", []),
        ("mask-time-length", "5", []),
        ("mask-time-min-masks", "0", []),
        ("mask-feature-prob", "0.1", []),
        ("mask-feature-length", "5", []),
        ("mask-feature-min-masks", "1", []),
        ("frequency-warp", "0.15", []),
        ("equalizer-db", "6", []),
        ("ctc-weight", "0.3", []),
        ("ctc-units", "tokens", ["ctc-weight=0.3"]),
        ("kl-weight", "1.5", []),
        ("encoder-context", "dynamic", []),
    ];

    [Fact]
    public void Parse_EveryArgument_ChangesTheResultAndSurvivesTheRecord()
    {
        foreach (var (name, value, with) in Values)
        {
            var context = with.Select(pair => pair.Split('=')).Select(pair => (pair[0], pair[1])).ToArray();
            var without = Parse(context);
            var changed = Parse([.. context, (name, value)]);
            Assert.NotEqual(without, changed with { LrSchedulerKwargs = name == "lr-scheduler-kwargs" ? changed.LrSchedulerKwargs : without.LrSchedulerKwargs });
            Assert.Equal(value, changed.ToDictionary()[name]);
            Assert.Equal(changed.ToDictionary(), TrainingArguments.FromJson(changed.ToJson()).ToDictionary());
        }

        Assert.Equal(TrainingArguments.All.Select(argument => argument.Name).Where(name => name != "optim").Order(), Values.Select(row => row.Name).Order());
    }

    [Theory]
    [InlineData("per-device-train-batch-size", "0", "a whole number from 1")]
    [InlineData("per-device-train-batch-size", "two", "a whole number from 1")]
    [InlineData("learning-rate", "-1", "a number from 0")]
    [InlineData("learning-rate", "NaN", "a number from 0")]
    [InlineData("learning-rate", "1e-5,2", "a number from 0")]
    [InlineData("adam-beta2", "1", "a number from 0 to below 1")]
    [InlineData("kl-weight", "-1", "a number from 0")]
    [InlineData("early-stopping-patience", "0", "a whole number from 1")]
    [InlineData("warmup-steps", "1.5", "a whole number of steps, or a share of all steps below 1")]
    [InlineData("save-steps", "0", "a whole number of steps, or a share of all steps below 1")]
    [InlineData("max-steps", "0", "a whole number from 1, or -1")]
    [InlineData("max-steps", "-2", "a whole number from 1, or -1")]
    [InlineData("fp16", "maybe", "true or false")]
    [InlineData("eval-strategy", "always", "one of no, steps, epoch")]
    [InlineData("report-to", "wandb", "tensorboard or none")]
    [InlineData("metric-for-best-model", "bleu", "loss or wer")]
    [InlineData("lr-scheduler-type", "reduce_lr_on_plateau", "one of linear, cosine")]
    [InlineData("lr-scheduler-kwargs", "num_cycles", "a JSON object")]
    [InlineData("lr-scheduler-kwargs", "{\"num_cycles\": 2}", "the scheduler linear has no settings")]
    [InlineData("optim", "adafactor", "the trainer has one optimizer, AdamW")]
    [InlineData("warmup-ratio", "0.1", "--warmup-steps a number below 1")]
    [InlineData("push_to_hub", "true", "nothing is uploaded")]
    [InlineData("learning-rat", "1", "did you mean 'learning-rate'")]
    [InlineData("bananas", "1", "no training argument 'bananas'; see")]
    public void Parse_WhatCannotBeUsed_IsRefusedWithTheReason(string name, string value, string reason) =>
        Assert.Contains(reason, Assert.Throws<AsrException>(() => Parse((name, value))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("--fp16 and --bf16 exclude each other", "fp16=true", "bf16=true")]
    [InlineData("to be the same: they are no and steps", "load-best-model-at-end=true")]
    [InlineData("needs evaluations", "load-best-model-at-end=true", "save-strategy=no")]
    [InlineData("a multiple of --eval-steps: they are 500 and 300", "load-best-model-at-end=true", "eval-strategy=steps", "eval-steps=300")]
    [InlineData("a multiple of --eval-steps: they are 0.2 and 0.3", "load-best-model-at-end=true", "eval-strategy=steps", "eval-steps=0.3", "save-steps=0.2")]
    [InlineData("both as steps, or both as ratios", "load-best-model-at-end=true", "eval-strategy=steps", "eval-steps=0.5")]
    [InlineData("needs --predict-with-generate", "metric-for-best-model=wer")]
    [InlineData("needs --metric-for-best-model", "greater-is-better=true")]
    [InlineData("needs --predict-with-generate", "generation-max-length=100")]
    [InlineData("needs --ctc-weight", "ctc-units=tokens")]
    [InlineData("without the cross-entropy", "ctc-weight=1", "label-smoothing-factor=0.1")]
    [InlineData("needs --apply-spec-augment", "apply-spec-augment=false", "mask-time-prob=0.1")]
    [InlineData("needs evaluations", "save-strategy=best")]
    [InlineData("needs --load-best-model-at-end", "early-stopping-patience=2", "eval-strategy=steps")]
    [InlineData("needs evaluations", "early-stopping-patience=2", "load-best-model-at-end=true", "save-strategy=best")]
    [InlineData("needs --early-stopping-patience", "early-stopping-threshold=0.1")]
    [InlineData("is given twice", "learning-rate=1", "learning_rate=2")]
    [InlineData("min_lr or min_lr_rate", "lr-scheduler-type=cosine_with_min_lr")]
    [InlineData("num_decay_steps", "lr-scheduler-type=warmup_stable_decay")]
    public void Parse_Contradiction_IsRefused(string reason, params string[] given) =>
        Assert.Contains(
            reason, Assert.Throws<AsrException>(() => Parse([.. given.Select(pair => (pair.Split('=')[0], pair.Split('=')[1]))])).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("0.25", "0.75")]
    [InlineData("0.1", "0.3")]
    [InlineData("100", "1000")]
    public void Parse_SaveStepsAMultipleOfEvalSteps_IsAccepted(string eval, string save) =>
        Assert.True(Parse(("load-best-model-at-end", "true"), ("eval-strategy", "steps"), ("eval-steps", eval), ("save-steps", save)).LoadBestModelAtEnd);

    [Fact]
    public void Parse_BestModelWithoutAMetric_TakesTheLoss()
    {
        var arguments = Parse(("load-best-model-at-end", ""), ("eval-strategy", "epoch"), ("save-strategy", "epoch"));
        Assert.Equal("loss", arguments.MetricForBestModel);
        Assert.False(arguments.GreaterIsBetter);
    }

    internal static TrainingArguments Parse(params (string Name, string Value)[] given) =>
        TrainingArguments.Parse(given.ToDictionary(pair => pair.Name, pair => pair.Value));
}
