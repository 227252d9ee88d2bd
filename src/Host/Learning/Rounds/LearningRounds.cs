using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Training;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>The base model that rounds adapt.</summary>
/// <param name="Directory">Its checkpoint folder.</param>
/// <param name="Backend">The backend that the gate loads it with; null for the first that can.</param>
internal sealed record LearningModel(string Directory, string? Backend = null);

/// <summary>Begins and ends rounds: plans them from what the data folder holds, and puts what came out into the registry. Safe for concurrent calls.</summary>
internal sealed class LearningRounds(DataFolder folder, AdapterRegistry registry)
{
    /// <summary>Member of an adapter's configuration that names the round's job.</summary>
    private const string JobKey = "job";

    /// <summary>Makes the data set and the plan of a job, and writes the plan into the job's folder.</summary>
    /// <exception cref="AsrException">There is nothing to learn, or a file cannot be used.</exception>
    public async Task<RoundPlan> PlanAsync(LearningJob job, LearningModel model, LearningOptions options, CancellationToken cancellationToken)
    {
        var baseHash = await BaseModel.HashAsync(model.Directory, cancellationToken);
        var active = registry.ActiveId() is { } id && registry.Find(id)?.Base == baseHash ? id : null;
        var activeFolder = active is null ? null : await registry.OpenAsync(active, baseHash, cancellationToken);
        var goesOn = active is not null && GoesOn(options, job.Settings);
        var dataset = await MakeDatasetAsync(model, options, job.Settings, active, cancellationToken);
        var plan = new RoundPlan
        {
            Id = job.Id,
            Trigger = job.Trigger,
            Model = Path.GetFullPath(model.Directory),
            Base = baseHash,
            Backend = model.Backend,
            Active = active,
            ActiveFolder = activeFolder,
            GoesOn = goesOn,
            ReplacesActive = job.Settings.Rebuild,
            Dataset = dataset.Hash,
            DatasetFolder = dataset.Directory,
            Corrections = dataset.Corrections,
            Training = Training(options, dataset.Rows[CorrectionDataset.Train], dataset.Rows[CorrectionDataset.HeldOut]),
            Threads = options.Threads,
            Device = options.Device,
            CreatedAt = folder.Time.GetUtcNow(),
        };
        RoundFolder.Of(folder.Directory, job.Id).Write(plan);
        return plan;
    }

    /// <summary>Makes the data set that a round would use now.</summary>
    /// <exception cref="AsrException">There is nothing to learn, or a file cannot be used.</exception>
    public async Task<CorrectionDataset> MakeDatasetAsync(LearningModel model, LearningOptions options, JobSettings settings, CancellationToken cancellationToken)
    {
        var active = registry.ActiveId() is { } id && registry.Find(id)?.Base == await BaseModel.HashAsync(model.Directory, cancellationToken) ? id : null;
        return await MakeDatasetAsync(model, options, settings, active, cancellationToken);
    }

    /// <summary>Puts a round's candidate into the registry, makes it active when that was decided, and clears the round's folder.</summary>
    /// <remarks>Called again after a kill it goes on: a candidate is put in once.</remarks>
    /// <exception cref="AsrException">The registry cannot be written.</exception>
    public async Task<JobOutcome> ConcludeAsync(RoundFolder round, RoundOutcome outcome, CancellationToken cancellationToken)
    {
        var plan = round.ReadPlan() ?? throw new AsrException($"{round.Directory} holds no plan of a round");
        var known = registry.List().FirstOrDefault(adapter => (string?)adapter.Card.Config?[JobKey] == plan.Id);
        if (known is null && !Directory.Exists(round.Candidate))
        {
            // The corrections were turned down before anything was trained.
            return new JobOutcome(outcome.Decision, null, outcome.Reason, outcome.Seconds, outcome.Metrics);
        }

        var card = known?.Card ?? await registry.AddAsync(
            round.Candidate,
            new NewAdapter
            {
                Parent = plan.GoesOn ? plan.Active : null,
                Base = plan.Base,
                Corrections = plan.Corrections,
                Dataset = plan.Dataset,
                Config = Configuration(plan),
                Metrics = JsonNode.Parse(outcome.Metrics.GetRawText()),
                Verdict = outcome.Decision,
                Reason = outcome.Reason,
            },
            cancellationToken);
        var (decision, reason) = (outcome.Decision, outcome.Reason);
        if (decision != GateVerdict.Rejected && registry.ActiveId() is var active && active != card.Id)
        {
            // It was compared with what was active then.
            if (active != plan.Active && registry.Find(active ?? "")?.Base == plan.Base)
            {
                (decision, reason) = (GateVerdict.Rejected, $"another adapter was made active while this one was trained: compare them (asr adapters compare), and promote it by hand if it is better. The gate said: {reason}");
            }
            else
            {
                try
                {
                    await registry.PromoteAsync(card.Id, AdapterScope.All, reason, decision == GateVerdict.Provisional, plan.Base, cancellationToken);
                }
                catch (AsrException error) when (registry.Find(card.Id)?.Tainted is not null)
                {
                    (decision, reason) = (GateVerdict.Rejected, error.Message);
                }
            }
        }

        round.Trim();
        return new JobOutcome(decision, card.Id, reason, outcome.Seconds, outcome.Metrics);
    }

    /// <summary>Whether a plan trains as the options say now: a round that was stopped goes on only then.</summary>
    public static bool Follows(RoundPlan plan, LearningOptions options, JobSettings settings)
    {
        // What follows from the corrections alone was decided when it was planned.
        var asked = Training(options, corrections: 0, heldOut: 0);
        asked = asked with
        {
            Steps = options.Steps > 0 ? asked.Steps : plan.Training.Steps,
            Folds = options.Folds > 0 ? asked.Folds : plan.Training.Folds,
        };
        return plan.GoesOn == (plan.Active is not null && GoesOn(options, settings)) && JsonSerializer.Serialize(asked) == JsonSerializer.Serialize(plan.Training);
    }

    private static bool GoesOn(LearningOptions options, JobSettings settings) => options.Start == "active" && !settings.Rebuild;

    private Task<CorrectionDataset> MakeDatasetAsync(LearningModel model, LearningOptions options, JobSettings settings, string? active, CancellationToken cancellationToken)
    {
        // A fresh adapter hears again what the active one knows, beside what is new; what replaces the active one must owe it nothing.
        var anchor = AnchorSet.Find(options.Anchor, model.Directory) is { } anchorFolder ? AnchorSet.Open(anchorFolder, folder.Directory, cancellationToken) : null;
        return new CorrectionDatasets(folder).BuildAsync(
            new DatasetRequest(options.Dataset(), active is null || settings.Rebuild ? new HashSet<long>() : Learned(active), settings.Without.ToHashSet(), anchor),
            cancellationToken);
    }

    private static JsonObject Configuration(RoundPlan plan)
    {
        var config = JsonSerializer.SerializeToNode(plan.Training, JsonSerializerOptions.Web)!.AsObject();
        config[JobKey] = plan.Id;
        config["trigger"] = plan.Trigger;
        config["seed"] = plan.Seed;
        return config;
    }

    private static RoundTraining Training(LearningOptions options, int corrections, int heldOut) => new()
    {
        AdapterConfig = new JsonObject
        {
            ["r"] = options.LoraRank,
            ["lora_alpha"] = options.LoraAlpha,
            ["target_modules"] = TrainSettings.Modules(options.TargetModules),
        }.ToJsonString(),
        LearningRate = options.LearningRate,
        Steps = options.Steps > 0 ? options.Steps : LearningDefaults.Steps(corrections),
        BatchSize = options.BatchSize,
        ReplayRatio = options.ReplayRatio,
        EarlierRatio = options.EarlierRatio,
        KlWeight = options.KlWeight,
        AverageShare = options.AverageShare,
        Folds = options.Folds > 0 ? options.Folds : LearningDefaults.Folds(corrections + heldOut),
        Arguments = options.Arguments.Select(argument => argument.Split('=', 2)).ToDictionary(pair => pair[0].Trim(), pair => pair[1].Trim(), StringComparer.Ordinal),
    };

    /// <summary>What an adapter and its parents were trained on.</summary>
    private HashSet<long> Learned(string adapter) => [.. folder.Database.Read(connection => connection.Query(
        "SELECT correction FROM adapter_correction WHERE adapter = (SELECT number FROM adapter WHERE id = $id)",
        reader => reader.GetInt64(0),
        ("$id", adapter)))];
}
