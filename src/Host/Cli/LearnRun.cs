using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.Host.Cli;

/// <summary>A round of learning in the foreground, with its options: what <c>asr learn</c> and <c>asr adapters rebuild</c> have in common.</summary>
internal sealed class LearnRun
{
    private static readonly JsonSerializerOptions JsonForm = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ModelOptions _model = new();
    private readonly Option<string?> _anchor = new("--anchor") { Description = "folder of the anchor set (anchor.jsonl, replay.jsonl); default: anchor in the model's folder", HelpName = "DIR" };
    private readonly Option<string[]> _set = new("--set") { Description = "a setting, such as Learning:Steps=40; may be repeated", HelpName = "NAME=VALUE" };
    private readonly Option<string?> _configuration = new("--config") { Description = "a JSON file of settings; default: appsettings.json in the data folder, if it is there", HelpName = "FILE" };
    private readonly Option<bool> _json = new("--json") { Description = "writes the outcome as one JSON object on stdout" };
    private readonly Option<bool> _quiet = new("--quiet") { Description = "no progress on stderr" };

    public Option<string?> DataDirectory => _model.DataDirectory;

    public PluginOptions Plugins => _model.Plugins;

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_model.Model, _model.Backend, _model.Device, _model.Threads, _model.DataDirectory, _model.Plugins.Directory, _anchor, _configuration, _set, _json, _quiet])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Runs a round, or goes on with the one that was stopped.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="trigger">A <see cref="JobTrigger"/>.</param>
    /// <param name="settings">What is asked for.</param>
    /// <param name="cancellationToken">Saves, and stops.</param>
    /// <exception cref="AsrException">There is nothing to learn, another round runs, or something cannot be used.</exception>
    public async Task<int> RunAsync(ParseResult parsed, string trigger, JobSettings settings, CancellationToken cancellationToken)
    {
        var (options, model) = Read(parsed);
        using var folder = DataFolder.OpenBeside(Host.DataDirectory.Resolve(parsed.GetValue(_model.DataDirectory)), TimeProvider.System);
        using var held = Lock(Path.Combine(folder.Directory, LearningWorker.LockFile));
        var jobs = new LearningJobs(folder);
        var registry = new AdapterRegistry(folder);
        var rounds = new LearningRounds(folder, registry);
        RoundTraces.ClearEnded(folder);
        var job = await TakeAsync(jobs, folder, model, options, trigger, settings);
        var round = RoundFolder.Of(folder.Directory, job.Id);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var changes = new DatabaseChanges(folder, TimeProvider.System, NullLogger<DatabaseChanges>.Instance);
        changes.Changed += StopWhenOver;
        JobOutcome result;
        try
        {
            await changes.StartAsync(cancellationToken);
            StopWhenOver();
            await using var plugins = _model.Plugins.Load(parsed);
            if (round.ReadPlan() is null)
            {
                await ScreenAsync(parsed, new CorrectionStore(folder, TimeProvider.System), plugins, model, options, stop.Token);
                await rounds.PlanAsync(job, model, options, stop.Token);
            }

            RoundOutcome? outcome;
            using (Lock(round.LockFile))
            {
                outcome = await DedicatedThread.RunAsync(() => ProgressBar.Run(
                    "learning",
                    parsed.GetValue(_quiet),
                    report => new LearningRound(plugins).Run(round, progress => report(Share(progress), Describe(progress)), stop.Token)));
            }

            if (outcome is null)
            {
                return await StopAsync(jobs, round, job.Id);
            }

            if (IsOver())
            {
                throw Over(jobs, job.Id);
            }

            result = await rounds.ConcludeAsync(round, outcome, CancellationToken.None);
            await jobs.FinishAsync(job.Id, result);
        }
        catch (OperationCanceledException)
        {
            return await StopAsync(jobs, round, job.Id);
        }
        catch (AsrException error)
        {
            await jobs.FailAsync(job.Id, error.Message);
            round.Trim();
            throw;
        }

        Console.Out.WriteLine(parsed.GetValue(_json)
            ? JsonSerializer.Serialize(result, JsonForm)
            : string.Create(CultureInfo.InvariantCulture, $"{JsonSerializer.SerializeToElement(result.Decision)}  {(result.Adapter is { } adapter ? $"adapter {adapter}" : "nothing was trained")}  {result.Seconds:0.0} s\n{result.Reason}"));
        return 0;

        bool IsOver() => jobs.Find(job.Id)?.State != JobState.Running;

        // Cancelled at a page, or what it learns from was deleted.
        void StopWhenOver()
        {
            if (IsOver())
            {
                stop.Cancel();
            }
        }
    }

    /// <summary>Writes the data set that a round would use.</summary>
    /// <exception cref="AsrException">There is nothing to learn, or the folder cannot be written.</exception>
    public async Task<int> ExportAsync(ParseResult parsed, string directory, CancellationToken cancellationToken)
    {
        var (options, model) = Read(parsed);
        using var folder = DataFolder.OpenBeside(Host.DataDirectory.Resolve(parsed.GetValue(_model.DataDirectory)), TimeProvider.System);
        var dataset = await new LearningRounds(folder, new AdapterRegistry(folder)).MakeDatasetAsync(model, options, new JobSettings(), cancellationToken);
        CorrectionDatasets.Export(dataset, directory);
        Console.Out.WriteLine(parsed.GetValue(_json)
            ? JsonSerializer.Serialize(dataset, JsonForm)
            : $"{directory}: data set {dataset.Hash}\n{string.Join(", ", CorrectionDataset.Manifests.Select(name => $"{name} {dataset.Rows[name]}"))}");
        return 0;
    }

    /// <summary>Leaves the round for the next call. A host takes over only what it began.</summary>
    /// <exception cref="AsrException">The round is over: there is nothing to go on with.</exception>
    private static async Task<int> StopAsync(LearningJobs jobs, RoundFolder round, string id)
    {
        if (await jobs.RequeueAsync(id) is null)
        {
            round.Trim();
            throw Over(jobs, id);
        }

        await Console.Error.WriteLineAsync("asr: stopped, and saved: the same command goes on from there");
        return 1;
    }

    private static AsrException Over(LearningJobs jobs, string id) =>
        new(jobs.Find(id) is { State: JobState.Failed, Error: { } reason } ? reason : "the round was cancelled: nothing was changed");

    /// <summary>The round that was stopped, else a new one. Nobody else learns while this process holds the lock: a job that seems to run was left.</summary>
    private static async Task<LearningJob> TakeAsync(LearningJobs jobs, DataFolder folder, LearningModel model, LearningOptions options, string trigger, JobSettings settings)
    {
        foreach (var left in jobs.Open().Where(job => job.State == JobState.Running || job.Settings.Foreground))
        {
            await jobs.RequeueAsync(left.Id);
            var round = RoundFolder.Of(folder.Directory, left.Id);
            var plan = round.ReadPlan();
            var isSame = left.Settings.Rebuild == settings.Rebuild
                && left.Settings.Without.SequenceEqual(settings.Without)
                && (plan is null || plan.Model == Path.GetFullPath(model.Directory));
            if (isSame && plan is not null && round.ReadOutcome() is null && !LearningRounds.Follows(plan, options, settings))
            {
                await Console.Error.WriteLineAsync("asr: the round that was stopped had other settings: it is dropped, and another begins");
                await jobs.CancelAsync(left.Id);
                round.TrimUnlessHeld(TimeProvider.System);
            }
            else if (isSame && await jobs.StartAsync(left.Id) is { } resumed)
            {
                return resumed;
            }
        }

        var added = await jobs.AddAsync(trigger, settings with { Foreground = true });
        return await jobs.StartAsync(added.Id) ?? throw new AsrException("the round was cancelled before it began");
    }

    /// <summary>Screens the corrections that no host has screened, with a recogniser that is gone again before anything is trained.</summary>
    private async Task ScreenAsync(ParseResult parsed, CorrectionStore corrections, PluginCatalog plugins, LearningModel model, LearningOptions options, CancellationToken cancellationToken)
    {
        if (corrections.ToScreen().Count == 0)
        {
            return;
        }

        var request = new ModelRequest(model.Backend, new ModelLoadOptions { ModelDirectory = model.Directory, Device = options.Device, Threads = options.Threads });
        await DedicatedThread.RunAsync(() => ProgressBar.Run("screening", parsed.GetValue(_quiet), report =>
        {
            using var recognizer = RecognizerLoader.Load(plugins, request, cancellationToken);
            if (WhisperCorrectionScorer.Of(recognizer) is { } scorer)
            {
                CorrectionScreening.Screen(corrections, scorer, (_, _, share) => report(share, ""), cancellationToken);
            }

            return true;
        }));
    }

    private static ProcessLock Lock(string path)
    {
        var held = ProcessLock.TryTake(path, TimeProvider.System, out var owner);
        if (held is null && ProcessLock.ProcessIn(owner) is { } other && Path.GetFileName(path) != LearningWorker.LockFile)
        {
            // A dead host's process, which may stand still: it ends by itself once it goes on.
            ProcessSignals.Resume(other);
        }

        return held ?? throw new AsrException($"a round of learning runs already ({owner}): wait until it has ended, or cancel it");
    }

    private static double Share(RoundProgress progress) => progress switch
    {
        { MaxSteps: 0 } => double.NaN,
        { Phase: RoundProgress.Evaluating } => 0.7 + (0.3 * progress.Step / progress.MaxSteps),
        _ => 0.7 * progress.Step / progress.MaxSteps,
    };

    private static string Describe(RoundProgress progress) => progress.Phase == RoundProgress.Training
        ? string.Create(CultureInfo.InvariantCulture, $"training, step {progress.Step}/{progress.MaxSteps}{(progress.Loss is { } loss ? $", loss {loss:0.000}" : "")}")
        : progress.Phase;

    private (LearningOptions Options, LearningModel Model) Read(ParseResult parsed)
    {
        var builder = new ConfigurationBuilder();
        HostConfiguration.Apply(
            builder,
            Host.DataDirectory.Resolve(parsed.GetValue(_model.DataDirectory)),
            parsed.GetValue(_configuration),
            [.. (parsed.GetValue(_set) ?? []).Select(ServeCommand.ParseSetting)]);
        var configuration = builder.Build();
        var services = new ServiceCollection();
        services.AddSettings<LearningOptions>(configuration, LearningOptions.Section);
        SettingsCheck.Require(services, configuration);
        var section = configuration.GetSection(LearningOptions.Section);
        var options = section.Get<LearningOptions>() ?? new LearningOptions();
        if (parsed.GetValue(_anchor) is { } anchor)
        {
            options.Anchor = anchor;
        }

        if (parsed.GetResult(_model.Device) is { Implicit: false })
        {
            options.Device = parsed.GetValue(_model.Device)!;
        }

        var threads = parsed.GetValue(_model.Threads);
        options.Threads = threads < 0 ? throw new AsrException($"--threads {threads}: give 0 or more")
            : threads > 0 ? threads
            : options.Threads;
        return (options, new LearningModel(_model.ReadDirectory(parsed), parsed.GetValue(_model.Backend)));
    }
}
