using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Tests.Learning.Training;

/// <summary>The way from manifests to a trainer, with a trainer that only looks at what it is given.</summary>
public sealed class TrainRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Execute_TheFixturesManifests_ReachTheTrainerAsBatches()
    {
        var trainer = new LookingTrainer();
        var outcome = TrainRun.Execute(
            Settings(("learning-rate", "0.0002"), ("max-steps", "6"), ("per-device-train-batch-size", "2"), ("train-sampling-strategy", "sequential"), ("language", "en")),
            trainer,
            adapters: null,
            progress: null,
            quiet: true,
            CancellationToken.None);
        Assert.True(outcome.Completed);
        var request = trainer.Request!;
        Assert.Equal(Fixtures.Path("micro"), request.ModelDirectory);
        Assert.Equal(("en", "transcribe", "auto", 0), (request.Language, request.Task, request.Device, request.Threads));
        Assert.Null(request.Adapter);
        var arguments = TrainingArguments.Parse(request.Arguments);
        Assert.Equal((0.0002, 6), (arguments.LearningRate, arguments.MaxSteps));
        Assert.Equal(3, request.Evaluation!.Count);

        var tokenizer = WhisperTokenizer.Load(request.ModelDirectory);
        var plan = new TrainingPlan(arguments, request.Train.Count, hasEvaluation: true);
        var step = plan.Batches.From(0, ExampleSampler.Create(arguments, request.Train)).First();
        var batch = new WhisperCollator(WhisperConfig.Load(request.ModelDirectory), arguments.EncoderContext)
            .Collate([.. step.MicroBatches[0].Select(request.Train.Load)]);
        Assert.Equal((2, 80), (batch.Batch, batch.FeatureSize));
        Assert.Equal("<|en|><|transcribe|><|notimestamps|>" + request.Train.Describe(0).Text + "<|endoftext|>",
            tokenizer.DecodeWithTimestamps(batch.Labels.Take(batch.LabelCounts[0]).ToArray()));
        Assert.Equal(tokenizer.StartOfTranscript, batch.DecoderInputs[0]);
        Assert.True(File.Exists(Path.Combine(request.OutputDirectory, "train_data_report.json")));
        Assert.True(File.Exists(Path.Combine(request.OutputDirectory, "eval_data_report.json")));
    }

    [Fact]
    public void Execute_Adapter_ReachesTheTrainerWithItsProvider()
    {
        var (trainer, provider) = (new LookingTrainer(), new NoAdapters(null));
        TrainRun.Execute(Settings(("lora-r", "4")), trainer, provider, progress: null, quiet: true, CancellationToken.None);
        Assert.Same(provider, trainer.Request!.Adapter!.Provider);
        Assert.Contains("\"r\":4", trainer.Request.Adapter.ConfigJson, StringComparison.Ordinal);
        Assert.Null(trainer.Request.Adapter.Directory);
    }

    [Fact]
    public void Execute_WhatTheDataDoesNotDecide_IsRefusedBeforeItIsRead()
    {
        Assert.Contains("--eval MANIFEST", Refused(Settings(("eval-strategy", "steps")) with { Evaluation = null }), StringComparison.Ordinal);
        Assert.Contains("no adapter: broken", Refused(Settings(("adapter", "x")), new NoAdapters("no adapter: broken")), StringComparison.Ordinal);
        Assert.Contains("holds no checkpoint", Refused(Settings(("resume-from-checkpoint", "true"))), StringComparison.Ordinal);
        Directory.CreateDirectory(_folder.File("out/checkpoint-5"));
        Assert.Contains("checkpoints of an earlier run", Refused(Settings()), StringComparison.Ordinal);
    }

    private string Refused(TrainSettings settings, IAdapterProvider? adapters = null)
    {
        var trainer = new LookingTrainer();
        var message = Assert.Throws<AsrException>(
            () => TrainRun.Execute(settings with { Train = _folder.File("is not there") }, trainer, adapters, progress: null, quiet: true, CancellationToken.None)).Message;
        Assert.Null(trainer.Request);
        return message;
    }

    private TrainSettings Settings(params (string, string)[] given) => TrainSettingsTests.Read(
    [
        ("model", Fixtures.Path("micro")),
        ("train", Fixtures.Path("finetune/train.jsonl")),
        ("eval", Fixtures.Path("finetune/eval.jsonl")),
        ("output-dir", _folder.File("out")),
        ("cache-dir", _folder.File("cache")),
        .. given,
    ]);

    private sealed class LookingTrainer : ITrainer
    {
        public string Name => "looking";

        public TrainingRequest? Request { get; private set; }

        public TrainingOutcome Train(TrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
        {
            Request = request;
            return new TrainingOutcome { Completed = true, Step = 1, MaxSteps = 1 };
        }
    }

    private sealed class NoAdapters(string? reason) : IAdapterProvider
    {
        public string Name => "none";

        public bool CanLoad(string directory, out string? reason1)
        {
            reason1 = reason;
            return reason is null;
        }

        public IAdapter Create(ISeq2SeqModel model, string name, string configJson, long seed) => throw new NotSupportedException();

        public IAdapter Load(ISeq2SeqModel model, string name, string directory, bool trainable) => throw new NotSupportedException();

        public ICheckpointMerger OpenMerger(string directory, IReadOnlyList<CheckpointTensor> checkpoint) => throw new NotSupportedException();
    }
}
