using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>A round of learning: trains a candidate on a data set, has it judged, and writes down how that ended.</summary>
/// <remarks>Blocks its thread, to which the models that it loads belong. All it knows is in its folder: a round that was stopped or killed goes on there.</remarks>
internal sealed class LearningRound(PluginCatalog plugins)
{
    private const string CandidateName = "candidate";

    /// <summary>Says in a training's folder that it is done.</summary>
    private const string TrainedMark = "trained";

    /// <summary>Evaluations of a training, where corrections are held out.</summary>
    private const int Evaluations = 5;

    /// <summary>Runs, or goes on.</summary>
    /// <param name="folder">The round's folder, with its plan.</param>
    /// <param name="progress">Told how far it is, on the calling thread.</param>
    /// <param name="cancellationToken">Saves, and stops.</param>
    /// <returns>The outcome; null when it was stopped.</returns>
    /// <exception cref="AsrException">The model, a plugin, or the data cannot be used.</exception>
    public RoundOutcome? Run(RoundFolder folder, Action<RoundProgress> progress, CancellationToken cancellationToken)
    {
        var plan = folder.ReadPlan() ?? throw new AsrException($"{folder.Directory} holds no plan of a round");
        if (folder.ReadOutcome() is { } done)
        {
            return done;
        }

        if (!Directory.Exists(plan.DatasetFolder))
        {
            throw new AsrException($"the round's data set {plan.DatasetFolder} is gone, as when a correction of it is deleted: start another round");
        }

        try
        {
            var clock = Stopwatch.StartNew();
            progress(RoundProgress.Started);
            var rows = Read(plan, CorrectionDataset.Train);
            if (AdapterGate.RejectBeforeTraining(Entries(plan, CorrectionDataset.Train), Entries(plan, CorrectionDataset.HeldOut), Settings(plan)) is { } rejected)
            {
                return End(folder, rejected, clock);
            }

            var heldOut = Path.Combine(plan.DatasetFolder, CorrectionDataset.HeldOut);
            var canStopEarly = DatasetRow.Read(heldOut).Count >= CorrectionSplit.MinimumHeldOut;
            var length = new Length(plan.Training.Steps, plan.Training.BatchSize);
            if (!Train(plan, rows, folder.Training, folder.Features, length, canStopEarly ? heldOut : null, progress, cancellationToken))
            {
                return null;
            }

            Average(plan, folder.Training, folder.Averaged);
            return End(folder, Judge(plan, folder, rows, progress, cancellationToken), clock);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private static RoundOutcome End(RoundFolder folder, GateDecision decision, Stopwatch clock)
    {
        var outcome = new RoundOutcome(
            decision.Verdict,
            decision.Reason,
            Math.Round(clock.Elapsed.TotalSeconds, 1),
            JsonSerializer.SerializeToElement(decision.Metrics, GateDecision.JsonForm));
        folder.Write(outcome);
        return outcome;
    }

    private static GateSettings Settings(RoundPlan plan) => new() { Folds = plan.Training.Folds, Seed = plan.Seed };

    private static IReadOnlyList<ManifestEntry> Entries(RoundPlan plan, string manifest) =>
        Path.Combine(plan.DatasetFolder, manifest) is var path && new FileInfo(path) is { Exists: true, Length: > 0 } ? Manifest.Read(path).Entries : [];

    private static List<DatasetRow> Read(RoundPlan plan, string manifest) =>
        [.. RoundMix.Absolute(DatasetRow.Read(Path.Combine(plan.DatasetFolder, manifest)), plan.DatasetFolder)];

    /// <summary>Trains an adapter in a folder, or goes on there; false when it was stopped.</summary>
    private bool Train(
        RoundPlan plan, List<DatasetRow> corrections, string output, string features, Length length, string? evaluation, Action<RoundProgress>? progress, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(output, TrainedMark)))
        {
            return true;
        }

        Directory.CreateDirectory(output);
        var mix = Path.Combine(output, "mix.jsonl");
        var replay = Read(plan, CorrectionDataset.Replay);
        var mixture = new RoundMixture<DatasetRow>
        {
            Corrections = corrections,
            Earlier = replay.FindAll(row => row.Kind == DatasetRow.Correction),
            Anchor = replay.FindAll(row => row.Kind == DatasetRow.Replay),
            ReplayRatio = plan.Training.ReplayRatio,
            EarlierRatio = plan.Training.EarlierRatio,
            Seed = plan.Seed,
        };
        var isDynamic = GenerationConfig.Load(plan.Model, WhisperConfig.Load(plan.Model)).HasDynamicContext;
        var (rows, ofStep) = RoundMix.Make(mixture, length.Steps, length.BatchSize);
        length = length with { BatchSize = ofStep };
        if (isDynamic)
        {
            // A batch costs what its longest clip does, and clips of a step differ.
            var bytes = new Dictionary<string, long>(StringComparer.Ordinal);
            rows = [.. RoundMix.ByLength(rows, length.BatchSize, row => bytes.TryGetValue(row.Audio, out var known) ? known : bytes[row.Audio] = SizeOf(row.Audio))];
        }

        DatasetRow.Write(mix, rows);
        var settings = new TrainSettings
        {
            Arguments = TrainingArguments.Parse(Arguments(plan, output, length, isDynamic, rows.Any(row => row.Kind == DatasetRow.Replay), evaluation is not null)),
            Model = plan.Model,
            Train = mix,
            Evaluation = evaluation,
            OutputDirectory = output,
            Language = corrections.Select(row => row.Language).OfType<string>().GroupBy(language => language, StringComparer.Ordinal).MaxBy(group => group.Count())?.Key,
            Adapter = plan.GoesOn ? plan.ActiveFolder : null,
            AdapterConfigJson = plan.GoesOn ? null : plan.Training.AdapterConfig,
            CacheDirectory = features,
            Device = plan.Device,
            Threads = plan.Threads,
        };
        var outcome = TrainRun.Execute(
            settings,
            plugins.Get<ITrainer>(),
            plugins.Get<IAdapterProvider>(),
            progress is null ? null : report => progress(RoundProgress.Of(report)),
            quiet: true,
            cancellationToken);
        if (!outcome.Completed)
        {
            return false;
        }

        File.WriteAllText(Path.Combine(output, TrainedMark), "");
        return true;
    }

    private static Dictionary<string, string> Arguments(RoundPlan plan, string output, Length length, bool isDynamic, bool hasSpeechToKeep, bool evaluates)
    {
        var steps = length.Steps;
        string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
        var parts = isDynamic ? RoundMix.Parts(length.BatchSize) : 1;
        var every = Number(Math.Max(1, steps / Evaluations));
        var arguments = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["output-dir"] = output,
            ["max-steps"] = Number(steps),
            ["per-device-train-batch-size"] = Number(length.BatchSize / parts),
            ["gradient-accumulation-steps"] = Number(parts),
            ["learning-rate"] = Number(plan.Training.LearningRate),
            ["warmup-steps"] = Number(Math.Min(3, steps - 1)),
            ["train-sampling-strategy"] = "sequential",
            ["encoder-context"] = isDynamic ? "dynamic" : "full",
            ["apply-spec-augment"] = "false",
            ["logging-steps"] = "5",
            ["save-steps"] = every,
            ["save-total-limit"] = "1",
            ["seed"] = Number(plan.Seed),
        };
        if (plan.Training.KlWeight > 0 && hasSpeechToKeep)
        {
            arguments["kl-weight"] = Number(plan.Training.KlWeight);
        }

        if (evaluates)
        {
            arguments["eval-strategy"] = "steps";
            arguments["eval-steps"] = every;
            arguments["load-best-model-at-end"] = "true";
            arguments["metric-for-best-model"] = "loss";
            arguments["early-stopping-patience"] = "2";
        }

        foreach (var (name, value) in plan.Training.Arguments)
        {
            arguments[TrainingArgument.NormalizeName(name)] = value;
        }

        if (new CheckpointFolders(output).Latest is not null)
        {
            arguments["resume-from-checkpoint"] = "true";
        }

        return arguments;
    }

    /// <summary>The size of a clip's file, for its length; 0 where there is none: that is the trainer's to say.</summary>
    private static long SizeOf(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;

    /// <summary>Makes the mean of what was trained with the adapter that it went on from, where the plan wants one.</summary>
    /// <returns>The folder of what is to be judged.</returns>
    private static string Average(RoundPlan plan, string trained, string output)
    {
        if (plan is not { GoesOn: true, ActiveFolder: { } previous } || plan.Training.AverageShare >= 1)
        {
            return trained;
        }

        if (!Directory.Exists(output))
        {
            AdapterAveraging.Average(previous, trained, plan.Training.AverageShare, output);
        }

        return output;
    }

    private GateDecision Judge(RoundPlan plan, RoundFolder folder, List<DatasetRow> rows, Action<RoundProgress> progress, CancellationToken cancellationToken)
    {
        var heldOut = Read(plan, CorrectionDataset.HeldOut);
        DatasetRow.Write(folder.Corrections, rows.Concat(heldOut));
        var provider = plugins.Get<IAdapterProvider>();
        var request = new ModelRequest(plan.Backend, new ModelLoadOptions { ModelDirectory = plan.Model, Device = plan.Device, Threads = plan.Threads });
        using var loaded = RecognizerLoader.Load(plugins, request, cancellationToken);
        var recognizer = loaded as WhisperRecognizer ?? throw new AsrException($"the recognizer {loaded.Info.Name} takes no adapters: it cannot learn from corrections");
        var active = plan.ReplacesActive ? null : plan.Active;
        if (active is not null)
        {
            recognizer.AddAdapter(provider.Load(recognizer.Parts.Model, active, plan.ActiveFolder!));
        }

        // One of a judgement that was killed.
        if (Directory.Exists(folder.Reduced))
        {
            Directory.Delete(folder.Reduced, recursive: true);
        }

        var (decision, share) = ShareOfCandidate.Decide(share => share >= 1 ? Decide(folder.Whole, share) : TryReduce(plan, folder.Whole, share, Reduced(share)) ? Decide(Reduced(share), share) : null);
        if (share < 1)
        {
            Directory.Move(Reduced(share), folder.Reduced);
        }

        return decision;

        string Reduced(double share) => Path.Combine(folder.Gate, Named(CandidateName, share));

        GateDecision Decide(string candidate, double share)
        {
            var name = Named(CandidateName, share);
            recognizer.AddAdapter(provider.Load(recognizer.Parts.Model, name, candidate));
            return AdapterGate.Decide(
                recognizer,
                new GateRequest
                {
                    Candidate = name,
                    Active = active,
                    Corrections = folder.Corrections,
                    HeldOut = heldOut.Count == 0 ? null : Path.Combine(plan.DatasetFolder, CorrectionDataset.HeldOut),
                    Anchor = Read(plan, CorrectionDataset.Anchor).Count == 0 ? null : Path.Combine(plan.DatasetFolder, CorrectionDataset.Anchor),
                    CrossTrainer = (manifest, output, token) => CrossTrain(plan, folder, share, manifest, output, token),
                    Adapters = provider,
                    WorkDirectory = folder.Gate,
                    Settings = Settings(plan),
                },
                report => progress(RoundProgress.Of(report)),
                cancellationToken);
        }
    }

    private static string Named(string name, double share) => share < 1 ? string.Create(CultureInfo.InvariantCulture, $"{name}-{share}") : name;

    /// <summary>Writes a share of an adapter: its mean with what it went on from; false where it cannot be divided, as one with whole modules of its own.</summary>
    private static bool TryReduce(RoundPlan plan, string adapter, double share, string output)
    {
        if (Directory.Exists(output))
        {
            return true;
        }

        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(output)!);
            if (plan is { GoesOn: true, ActiveFolder: { } previous })
            {
                AdapterAveraging.Average(previous, adapter, share, output);
            }
            else
            {
                AdapterAveraging.Scale(adapter, share, output);
            }

            return true;
        }
        catch (AsrException)
        {
            return false;
        }
    }

    /// <summary>
    /// Trains as the round does, in half the steps: whether its way of learning helps on what it has not seen shows by then. Nor does a step replay more than
    /// the ratio asks for, however few the corrections are: the anchor set has been heard with the candidate, and these adapters are not asked about it.
    /// </summary>
    private string CrossTrain(RoundPlan plan, RoundFolder folder, double share, string manifest, string output, CancellationToken cancellationToken)
    {
        List<DatasetRow> rows = [.. Manifest.Read(manifest).Entries.Select(entry => new DatasetRow
        {
            Audio = entry.AudioPath,
            Text = entry.Text,
            Language = entry.Language,
            Speaker = entry.Speaker,
            Domain = entry.Domain,
            Id = JsonValue.Create(entry.Row),
            Kind = DatasetRow.Correction,
            Weight = entry.Weight,
        })];
        var length = new Length((plan.Training.Steps + 1) / 2, RoundMix.Rows(rows.Count, plan.Training.ReplayRatio, plan.Training.BatchSize));
        if (!Train(plan, rows, output, folder.Features, length, evaluation: null, progress: null, cancellationToken))
        {
            throw new OperationCanceledException(cancellationToken);
        }

        var whole = Average(plan, output, output + "-averaged");
        if (share >= 1)
        {
            return whole;
        }

        var reduced = Named(output, share);
        return TryReduce(plan, whole, share, reduced) ? reduced : throw new AsrException($"{whole} cannot be reduced as the candidate was.");
    }

    /// <summary>Of a training: its steps, and the rows of a step.</summary>
    private readonly record struct Length(int Steps, int BatchSize);
}
