using System.Diagnostics;
using System.Globalization;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>One run of the trainer, from its model and data to its checkpoints.</summary>
/// <remarks>
/// Whatever is random depends on the seed and the step alone, so that a resumed run draws what the unbroken one would have drawn and no
/// generator's state need be stored. Belongs to one thread.
/// </remarks>
internal sealed class TrainingRun : IDisposable
{
    /// <summary>Steps whose examples are loaded ahead.</summary>
    private const int StepsAhead = 4;

    private readonly TrainingRequest _request;
    private readonly TrainingArguments _arguments;
    private readonly TrainingPlan _plan;
    private readonly WhisperConfig _config;
    private readonly WhisperModel _model;
    private readonly Action<TrainingProgress>? _progress;
    private readonly CheckpointFolders _folders;
    private readonly TrainerState _state;
    private readonly WhisperCollator _collator;
    private readonly FrequencyWarp? _frequencyWarp;
    private readonly RandomEqualizer? _equalizer;
    private readonly SpecAugmentSettings? _specAugment;
    private readonly PhaseClock _clock;
    private readonly List<IDisposable> _owned = [];
    private readonly TrainedAdapter? _adapter;
    private readonly CtcTargets? _ctcTargets;
    private readonly CtcHead? _ctcHead;
    private readonly EncodedExamples? _encoded;
    private readonly TrainableParameters _parameters;
    private readonly AdamW _optimizer;
    private readonly LossScaler? _scaler;
    private readonly OptimizerStep _step;
    private readonly Evaluator? _evaluator;
    private readonly TensorBoardWriter? _board;
    private readonly double _operationsPerFeature;
    private float _pendingLoss;
    private int _pendingSteps;
    private double _totalLoss;
    private double _gradientNorm;
    private string? _lastCheckpoint;

    private TrainingRun(TrainingRequest request, TorchBackend backend, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        _request = request;
        _progress = progress;
        _arguments = TrainingArguments.Parse(request.Arguments);
        WhisperCheckpoint.CheckFolder(request.ModelDirectory);
        var device = backend.FindDevice(request.Device);
        CheckArguments(device);
        _plan = new TrainingPlan(_arguments, request.Train.Count, request.Evaluation is not null);
        _folders = new CheckpointFolders(request.OutputDirectory);
        var checkpoint = _folders.StartingPoint(_arguments);
        _state = checkpoint is null ? TrainerState.Of(_plan) : TrainerState.Load(checkpoint);
        _state.Adopt(_plan);
        _lastCheckpoint = checkpoint;
        var resumed = checkpoint is null ? new RunProgress() : RunProgress.Load(checkpoint);
        (_pendingLoss, _pendingSteps, _totalLoss) = (resumed.PendingLoss, resumed.PendingSteps, resumed.TotalLoss);

        var modelDirectory = request.Adapter is null && checkpoint is not null ? checkpoint : request.ModelDirectory;
        _config = WhisperConfig.Load(modelDirectory);
        if (_arguments.DataParallel > 1 && (_config.Dropout, _config.AttentionDropout, _config.ActivationDropout, _config.EncoderLayerdrop, _config.DecoderLayerdrop) is not (0, 0, 0, 0, 0))
        {
            throw new AsrException(
                "--data-parallel draws no random numbers inside the model, or a resumed run would not repeat them: set dropout, attention_dropout, activation_dropout, encoder_layerdrop and decoder_layerdrop to 0 in config.json, or leave it out.");
        }

        _frequencyWarp = _arguments.FrequencyWarp > 0 ? new FrequencyWarp(_arguments.FrequencyWarp, _config.NumMelBins) : null;
        _equalizer = _arguments.EqualizerDb > 0 ? new RandomEqualizer(_arguments.EqualizerDb) : null;
        _specAugment = SpecAugmentSettings.Of(_arguments, _config);
        _collator = new WhisperCollator(_config, _arguments.EncoderContext);
        _clock = new PhaseClock();
        try
        {
            Evaluator.Generation? generation = null;
            var models = new WhisperModel[_arguments.DataParallel];
            using (var opened = CheckpointWeights.Open(modelDirectory))
            {
                if (_arguments.PredictWithGenerate && request.Evaluation is not null)
                {
                    generation = new Evaluator.Generation(
                        WhisperTokenizer.Load(request.ModelDirectory), GenerationConfig.Load(modelDirectory, _config), request.Language, TaskOf(request.Task));
                }

                var threads = Math.Max(1, TorchBackend.ThreadsFor(request.Threads) / models.Length);
                for (var i = 0; i < models.Length; i++)
                {
                    models[i] = Own(new WhisperModel(
                        _config, new CheckpointWeightSource(opened), backend.Name, device, ScalarType.Float32, threads, cancellationToken));
                }

                _model = models[0];
            }

            _adapter = request.Adapter is null ? null : Own(TrainedAdapter.Open(_model, request, checkpoint, _arguments.Seed));
            if (_arguments.CtcWeight > 0)
            {
                _ctcTargets = OpenCtcTargets(checkpoint);
                Seed("ctc-head", 0);
                _ctcHead = Own(new CtcHead(_config.DModel, _ctcTargets.Classes, _config.InitStd, device));
            }

            _encoded = KeepsStates() ? Own(new EncodedExamples()) : null;
            _parameters = Own(new TrainableParameters([.. Trained(_model, _ctcHead)]));
            _operationsPerFeature = OperationsPerFeature();
            _optimizer = Own(new AdamW(
                _parameters, new AdamWSettings(_arguments.AdamBeta1, _arguments.AdamBeta2, _arguments.AdamEpsilon, _arguments.WeightDecay)));
            _scaler = _arguments.Fp16 ? new LossScaler() : null;
            if (checkpoint is not null)
            {
                Restore(checkpoint, resumed);
            }

            var pass = PassOf(_model, _ctcHead);
            var passes = Own(new ParallelPasses(pass, _parameters, [.. models.Skip(1).Select(ReplicaOf)]));
            _step = new OptimizerStep(passes, _parameters, _optimizer, _arguments.AccumulationNormalization, _arguments.MaxGradNorm, _scaler, _clock);
            _evaluator = request.Evaluation is { } evaluation && _arguments.EvalStrategy != IntervalStrategy.No
                ? new Evaluator(_model, _config, pass, _collator, evaluation, _arguments) { Writes = generation }
                : null;
            _board = _arguments.ReportToTensorBoard
                ? Own(TensorBoardWriter.Create(Path.Combine(request.OutputDirectory, "runs"), checkpoint is null ? null : _state.GlobalStep + 1))
                : null;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sets a run up.</summary>
    /// <exception cref="AsrException">An argument, a file or the data cannot be used.</exception>
    public static TrainingRun Open(TrainingRequest request, TorchBackend backend, Action<TrainingProgress>? progress, CancellationToken cancellationToken) =>
        new(request, backend, progress, cancellationToken);

    /// <summary>Trains to the end, or to the step under way when it is cancelled.</summary>
    public TrainingOutcome Execute(CancellationToken cancellationToken)
    {
        Report(TrainingEvent.Started, new Dictionary<string, double>
        {
            ["num_train_epochs"] = _plan.NumTrainEpochs,
            ["trainable_parameters"] = _parameters.ByName.Values.Sum(parameter => parameter.Length),
            ["parameters"] = _model.Info.Parameters,
            ["examples"] = _request.Train.Count,
        });
        var start = Stopwatch.GetTimestamp();
        var firstStep = _state.GlobalStep;
        var examples = 0L;
        var completed = true;
        if (_state.GlobalStep < _plan.MaxSteps && !EarlyStopping.IsDue(_arguments, _state))
        {
            var planned = _plan.Batches.From(_state.GlobalStep, ExampleSampler.Create(_arguments, _request.Train)).Take(_plan.MaxSteps - _state.GlobalStep);
            using var loader = new BatchLoader<LoadedStep>(planned.Select(step => (Func<LoadedStep>)(() => Load(step))), StepsAhead);
            while (true)
            {
                LoadedStep? loaded;
                using (_clock.Enter(Phase.Data))
                {
                    if (!loader.TryNext(out loaded))
                    {
                        break;
                    }
                }

                Take(loaded!, start, ref examples);
                var due = _plan.After(loaded!.Plan);
                var stops = cancellationToken.IsCancellationRequested && !due.Stop;
                Follow(due, loaded.Plan, stops, cancellationToken);
                if (stops)
                {
                    completed = false;
                    break;
                }

                if (due.Evaluate && !due.Stop && EarlyStopping.IsDue(_arguments, _state))
                {
                    Report(TrainingEvent.Warning, new Dictionary<string, double>(), string.Create(
                        CultureInfo.InvariantCulture,
                        $"Stopped early at step {_state.GlobalStep}: eval_{_arguments.MetricForBestModel} has not been better than {_state.BestMetric:0.####} (step {_state.BestGlobalStep}) in {_state.EarlyStopping!.Counter} evaluations."));
                    break;
                }
            }
        }

        return Finish(start, firstStep, examples, completed);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // What was made last uses what was made before it.
        for (var i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
    }

    private static TranscriptionTask? TaskOf(string? task) => task switch
    {
        null => null,
        "transcribe" => TranscriptionTask.Transcribe,
        "translate" => TranscriptionTask.Translate,
        _ => throw new AsrException($"The task is \"{task}\": expected transcribe or translate."),
    };

    private void CheckArguments(Device device)
    {
        if (device.type == DeviceType.CPU && _arguments.Fp16)
        {
            throw new AsrException("--fp16 needs a CUDA card: LibTorch multiplies such numbers slowly or not at all on the processor. Train there without it.");
        }

        if (device.type == DeviceType.CPU && _arguments.Bf16 && ProductSpeed.OverFloat32(ScalarType.BFloat16) is var speed and <= 1)
        {
            throw new AsrException(string.Create(
                CultureInfo.InvariantCulture,
                $"--bf16 would slow the training down: LibTorch multiplies such numbers at {speed:0.00} times the speed of float32 on this processor. Leave it out; it gains on a CUDA card, and with LibTorch 2 on processors with AVX512_BF16 or AMX."));
        }

        if (_arguments.DataParallel > 1)
        {
            if (device.type != DeviceType.CPU)
            {
                throw new AsrException("--data-parallel is for the processor: a card is kept busy by a larger --per-device-train-batch-size.");
            }

            if (_request.Adapter is not null)
            {
                throw new AsrException("--data-parallel is for training all parameters: leave it out when an adapter is trained.");
            }
        }

        if (_arguments.AdamEpsilon <= 0)
        {
            throw new AsrException("--adam-epsilon must be above 0: it divides where a gradient is 0.");
        }

        if (_arguments.KlWeight > 0)
        {
            if (_request.Adapter is null)
            {
                throw new AsrException("--kl-weight needs an adapter: what training changes in the model itself is no longer there to compare with. Give LoRA options such as --lora-r.");
            }

            if (!Enumerable.Range(0, _request.Train.Count).Any(index => _request.Train.Describe(index).IsReplay))
            {
                throw new AsrException("--kl-weight has nothing to act on: no example's \"kind\" is replay or anchor.");
            }
        }

        if (_arguments.FreezeEncoder && _request.Adapter is not null)
        {
            throw new AsrException("--freeze-encoder is for training without an adapter; with one, choose the decoder's modules: --target-modules.");
        }

        if (_arguments.FreezeEncoder && _arguments.CtcWeight > 0)
        {
            throw new AsrException("--ctc-weight trains the encoder, which --freeze-encoder keeps as it is: leave one of them out.");
        }
    }

    private CtcTargets OpenCtcTargets(string? checkpoint)
    {
        var path = checkpoint is null ? null : Path.Combine(checkpoint, CtcTargets.FileName);
        if (path is not null && File.Exists(path))
        {
            return CtcTargets.FromJson(File.ReadAllText(path));
        }

        return CtcTargets.Of(_arguments, _request.Train, _config.EosTokenId ?? throw new AsrException("config.json has no \"eos_token_id\": CTC on tokens needs it."));
    }

    private GradientPassOptions PassOptions() => new()
    {
        FreezeEncoder = _arguments.FreezeEncoder || (_adapter is { ReachesEncoder: false } && _ctcHead is null),
        Checkpointing = _arguments.GradientCheckpointing,
        LabelSmoothing = _arguments.LabelSmoothingFactor,
        KlWeight = _arguments.KlWeight,
        CtcWeight = _arguments.CtcWeight,
        ProductType = _arguments.Fp16 ? ScalarType.Float16 : _arguments.Bf16 ? ScalarType.BFloat16 : null,
    };

    /// <summary>
    /// transformers' estimate of the floating-point operations for one value of the features (<c>floating_point_ops</c>): six for each
    /// parameter that is no embedding, trained or not.
    /// </summary>
    private double OperationsPerFeature()
    {
        var embeddings = _model.Parameters.SelectMany(block => block.Slices).Where(slice => slice.Name.Contains(".embed_", StringComparison.Ordinal)).Sum(slice => slice.Tensor.numel());
        var adapter = _adapter?.Parameters.Sum(block => block.Tensor.numel()) ?? 0;
        return 6.0 * (_model.Info.Parameters - embeddings + adapter);
    }

    private GradientPass PassOf(WhisperModel model, CtcHead? ctcHead) =>
        new(model, _config, PassOptions(), _config.DecoderStartTokenId!.Value, (_config.PadTokenId ?? _config.EosTokenId)!.Value, ctcHead, _encoded);

    /// <summary>Whether the encoder makes the same of an example each time, and there is room for what it makes of all of them.</summary>
    private bool KeepsStates()
    {
        var options = PassOptions();
        return options is { FreezeEncoder: true, Checkpointing: false }
            && _arguments.DataParallel == 1
            && _frequencyWarp is null && _equalizer is null && _specAugment is null
            && (_config.Dropout, _config.AttentionDropout, _config.ActivationDropout, _config.EncoderLayerdrop) is (0, 0, 0, 0)

            // A clip may come many times: with the same text and length it is taken for the same.
            && Enumerable.Range(0, _request.Train.Count)
                .Select(_request.Train.Describe)
                .DistinctBy(info => (info.Text, info.Frames))
                .Sum(info => (long)(_arguments.EncoderContext == EncoderContext.Full ? _config.MaxFrames : info.Frames + 1) / 2 * _config.DModel * sizeof(float)) <= EncodedExamples.MaximumBytes;
    }

    private ParallelPasses.Replica ReplicaOf(WhisperModel model)
    {
        var ctcHead = _ctcHead is null ? null : new CtcHead(_config.DModel, _ctcHead.Symbols, _config.InitStd, model.TorchDevice);
        return new ParallelPasses.Replica(
            PassOf(model, ctcHead), new TrainableParameters([.. Trained(model, ctcHead)], _parameters), ctcHead is null ? [] : [ctcHead]);
    }

    private IEnumerable<ParameterBlock> Trained(WhisperModel model, CtcHead? ctcHead)
    {
        const string Encoder = "model.encoder.";
        const string Positions = Encoder + "embed_positions.weight";
        var blocks = _adapter is not null
            ? _adapter.Parameters
            : model.Parameters.Where(block => block.Slices[0].Name is var name
                && name != Positions
                && !(_arguments.FreezeEncoder && name.StartsWith(Encoder, StringComparison.Ordinal)));
        return ctcHead is null ? blocks : blocks.Concat(ctcHead.Parameters);
    }

    private void Restore(string checkpoint, RunProgress resumed)
    {
        if (_ctcHead is not null)
        {
            using var file = SafetensorsFile.Open(Path.Combine(checkpoint, TrainingFiles.CtcHead));
            foreach (var slice in _ctcHead.Parameters.SelectMany(block => block.Slices))
            {
                TrainingFiles.Read(file, slice.Name, slice.Tensor);
            }
        }

        TrainingFiles.LoadOptimizer(checkpoint, _parameters, _optimizer);
        _optimizer.Steps = resumed.OptimizerSteps;
        if (_scaler is not null && resumed.LossScale is { } scale)
        {
            (_scaler.Scale, _scaler.GoodSteps) = (scale, resumed.GoodSteps);
        }
    }

    private LoadedStep Load(PlannedStep step)
    {
        var batches = new MicroBatch[step.MicroBatches.Length];
        for (var i = 0; i < batches.Length; i++)
        {
            var batch = _collator.Collate(Array.ConvertAll(step.MicroBatches[i], _request.Train.Load));
            _frequencyWarp?.Apply(batch, SeededRandom.Of(_arguments.Seed, "frequency-warp", step.Index, i));
            _equalizer?.Apply(batch, SeededRandom.Of(_arguments.Seed, "equalizer", step.Index, i));
            if (_specAugment is not null)
            {
                SpecAugmentMasks.Draw(_specAugment, batch, SeededRandom.Of(_arguments.Seed, "spec-augment", step.Index, i))
                    .Apply(batch.Features, batch.FeatureSize, batch.Frames);
            }

            batches[i] = MicroBatch.Of(batch, _ctcTargets, _encoded is null ? null : _arguments.EncoderContext);
        }

        return new LoadedStep(step, batches);
    }

    private void Take(LoadedStep loaded, long start, ref long examples)
    {
        Seed("dropout", loaded.Plan.Index);
        var rate = _plan.LearningRate.Rate(loaded.Plan.Index);
        if (_adapter is not null)
        {
            _adapter.Training = true;
        }

        var outcome = _step.Take(loaded.Batches, rate);
        if (!outcome.Updated && _scaler is null)
        {
            throw new AsrException(
                $"Step {loaded.Plan.Index + 1}: the loss ({outcome.Loss}) or its gradient is no finite number. Train with a smaller --learning-rate or a longer --warmup-steps"
                + (_lastCheckpoint is null ? "." : $"; {_lastCheckpoint} is whole and can be resumed."));
        }

        // A loss that overflowed float16 counts as the mean of the others, as Hugging Face's trainer filters it.
        _pendingLoss += float.IsFinite(outcome.Loss) ? outcome.Loss : _pendingLoss / Math.Max(1, _pendingSteps);
        _pendingSteps++;
        _state.GlobalStep = loaded.Plan.Index + 1;
        _state.Epoch = loaded.Plan.EpochAfter;
        _state.TotalFlos += loaded.Batches.Sum(batch => (double)batch.Features.Length) * _operationsPerFeature;
        examples += loaded.Plan.Examples;
        _gradientNorm = outcome.GradientNorm;
        Report(TrainingEvent.Step, new Dictionary<string, double>(_clock.Values)
        {
            ["loss"] = outcome.Loss,
            ["grad_norm"] = outcome.GradientNorm,
            ["learning_rate"] = rate,
            ["epoch"] = _state.Epoch,
            ["samples_per_second"] = examples / Stopwatch.GetElapsedTime(start).TotalSeconds,
        });
    }

    private void Follow(DueActions due, PlannedStep step, bool stops, CancellationToken cancellationToken)
    {
        if (due.Log)
        {
            LogLoss(_plan.LearningRate.Rate(step.Index));
        }

        var better = false;
        if (due.Evaluate && _evaluator is not null && !stops)
        {
            better = Evaluate(cancellationToken);
        }

        if (due.Save || (due.SaveIfBest && better) || stops)
        {
            Save();
        }
    }

    private void LogLoss(double rate)
    {
        if (_pendingSteps == 0)
        {
            return;
        }

        Log(TrainingEvent.Log, new Dictionary<string, double>
        {
            ["loss"] = (double)_pendingLoss / _pendingSteps,
            ["grad_norm"] = _gradientNorm,
            ["learning_rate"] = rate,
        });
        _totalLoss += _pendingLoss;
        (_pendingLoss, _pendingSteps) = (0, 0);
    }

    private bool Evaluate(CancellationToken cancellationToken)
    {
        if (_adapter is not null)
        {
            _adapter.Training = false;
        }

        Dictionary<string, double> metrics;
        try
        {
            metrics = _evaluator!.Evaluate(
                done => Report(TrainingEvent.Evaluating, new Dictionary<string, double> { ["done"] = done, ["total"] = _request.Evaluation!.Count }),
                cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The step is done and worth its checkpoint; an evaluation that was cut short says nothing.
            return false;
        }

        Log(TrainingEvent.Evaluated, metrics);
        EarlyStopping.Observe(_arguments, _state, metrics);
        return BestModel.Observe(_arguments, _state, metrics);
    }

    private void Log(TrainingEvent what, IReadOnlyDictionary<string, double> values)
    {
        var entry = _state.Log(values);
        _board?.Write(entry);
        Report(what, new Dictionary<string, double>(values) { ["epoch"] = entry.Epoch });
    }

    private void Save()
    {
        var step = _state.GlobalStep;
        if (_state.BestGlobalStep is { } best && (best == step || Directory.Exists(_folders.PathOf(best))))
        {
            _state.BestModelCheckpoint = _folders.PathOf(best);
        }

        _lastCheckpoint = _folders.Save(step, directory =>
        {
            SaveModel(directory);
            TrainingFiles.SaveOptimizer(directory, _parameters, _optimizer);
            if (_ctcHead is not null)
            {
                TrainingFiles.Write(
                    Path.Combine(directory, TrainingFiles.CtcHead),
                    _ctcHead.Parameters.SelectMany(block => block.Slices).Select(slice => (slice.Name, slice.Tensor)));
                if (_ctcTargets!.ToJson() is { } characters)
                {
                    AtomicFile.Write(Path.Combine(directory, CtcTargets.FileName), stream => stream.Write(Encoding.UTF8.GetBytes(characters)));
                }
            }

            new RunProgress
            {
                OptimizerSteps = _optimizer.Steps,
                PendingLoss = _pendingLoss,
                PendingSteps = _pendingSteps,
                TotalLoss = _totalLoss,
                LossScale = _scaler?.Scale,
                GoodSteps = _scaler?.GoodSteps ?? 0,
                Arguments = (_arguments with { ResumeFromCheckpoint = null }).ToDictionary(),
            }.Save(directory);
            _state.Save(directory);
        });
        _folders.Rotate(_arguments.SaveTotalLimit, _state.BestModelCheckpoint);
        Report(TrainingEvent.Saved, new Dictionary<string, double>(), _lastCheckpoint);
    }

    /// <summary>The model, or the adapter, with everything that is needed to use it.</summary>
    private void SaveModel(string directory)
    {
        TrainingFiles.CopyModelFiles(_request.ModelDirectory, directory, forAdapter: _adapter is not null);
        if (_adapter is not null)
        {
            _adapter.Save(directory);
        }
        else
        {
            TrainingFiles.SaveModel(directory, _model);
        }
    }

    private TrainingOutcome Finish(long start, int firstStep, long examples, bool completed)
    {
        var metrics = new Dictionary<string, double>();
        if (completed)
        {
            var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            metrics["train_runtime"] = Math.Round(seconds, 4);
            metrics["train_samples_per_second"] = Math.Round(examples / seconds, 3);
            metrics["train_steps_per_second"] = Math.Round((_state.GlobalStep - firstStep) / seconds, 3);
            metrics["total_flos"] = _state.TotalFlos;
            metrics["train_loss"] = (_totalLoss + _pendingLoss) / Math.Max(1, _state.GlobalStep);
            var entry = _state.Log(metrics);
            _board?.Write(entry);
            SaveResult();
            _state.Save(_request.OutputDirectory);
        }

        foreach (var (name, value) in _clock.Values)
        {
            metrics[name] = value;
        }

        foreach (var (name, value) in _state.LogHistory.LastOrDefault(entry => entry.Values.ContainsKey("eval_loss"))?.Values ?? new Dictionary<string, double>())
        {
            metrics[name] = value;
        }

        return new TrainingOutcome
        {
            Completed = completed,
            Step = _state.GlobalStep,
            MaxSteps = _plan.MaxSteps,
            LastCheckpoint = _lastCheckpoint,
            BestCheckpoint = _state.BestModelCheckpoint,
            Metrics = metrics,
        };
    }

    /// <summary>Leaves the model in the output folder: the best one where that is asked for, else the last.</summary>
    private void SaveResult()
    {
        if (!_arguments.LoadBestModelAtEnd || _state.BestModelCheckpoint is not { } best || best == _lastCheckpoint)
        {
            SaveModel(_request.OutputDirectory);
            return;
        }

        TrainingFiles.CopyModelFiles(best, _request.OutputDirectory, forAdapter: _adapter is not null);
        foreach (var name in _adapter is null ? [CheckpointWeights.SingleFile] : new[] { "adapter_config.json", "adapter_model.safetensors" })
        {
            AtomicFile.Write(Path.Combine(_request.OutputDirectory, name), stream =>
            {
                using var source = File.OpenRead(Path.Combine(best, name));
                source.CopyTo(stream);
            });
        }
    }

    private void Seed(string purpose, int step) =>
        random.manual_seed((long)(SeededRandom.Of(_arguments.Seed, purpose, step).NextUInt64() >> 1));

    private void Report(TrainingEvent what, IReadOnlyDictionary<string, double> values, string? message = null) =>
        _progress?.Invoke(new TrainingProgress(what, _state.GlobalStep, _plan.MaxSteps, values, message));

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Add(part);
        return part;
    }

    /// <summary>A step with its examples.</summary>
    private sealed record LoadedStep(PlannedStep Plan, MicroBatch[] Batches);
}
