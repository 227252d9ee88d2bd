using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Tests.Learning.Datasets;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Tests.Learning.Rounds;

/// <summary>The host's side of rounds; their processes are shell scripts.</summary>
public sealed class LearningWorkerTests : IAsyncLifetime
{
    /// <summary>A process that has trained and decided.</summary>
    private const string Succeeds =
        """
        echo '{"phase":"training","step":1,"maxSteps":2,"loss":3.5,"values":{}}'
        cp -r --no-preserve=mode "$ADAPTER" "$1/training"
        echo '{"decision":"provisional","reason":"it hears better","seconds":12.5,"metrics":{"anchorWerAfter":0.1}}' > "$1/outcome.json"
        """;

    /// <summary>Corrections that there are: the fewest that the gate can tell anything of.</summary>
    private const int Corrections = GateSettings.FewestCorrections;

    private readonly LearningFolder _folder = new();
    private readonly Hub _hub = new();
    private LiveLoad _load;
    private int _starts;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private LearningJobs Jobs => new(_folder.Data);

    private AdapterRegistry Registry => new(_folder.Data);

    public async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "processes are shell scripts");
        for (var index = 0; index < Corrections; index++)
        {
            await _folder.AddAsync($"text {index}");
        }
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Job_ByHand_RunsItsProcessAndPromotesWhatCameOut()
    {
        await using var worker = await StartAsync(Succeeds);
        Assert.Equal((Corrections, null), worker.CanLearn());
        var id = (await worker.StartJobAsync()).Id;
        var job = await _hub.UntilAsync(job => job.State == JobState.Done);
        Assert.Equal(id, job.Id);
        Assert.Equal("provisional", (string?)JsonSerializer.SerializeToNode(job, JsonSerializerOptions.Web)!["outcome"]!["decision"]);
        Assert.Equal(("by hand", GateVerdict.Provisional, "it hears better", 12.5), (job.Trigger, job.Outcome!.Decision, job.Outcome.Reason, job.Outcome.Seconds));
        Assert.Equal(0.1, job.Outcome.Metrics.GetProperty("anchorWerAfter").GetDouble());
        Assert.Contains(_hub.Told, told => told.Progress is { Phase: "training", Step: 1, MaxSteps: 2, Loss: 3.5 });
        Assert.Equal(job.Outcome.Adapter, Registry.ActiveId());
        var adapter = Registry.Get(job.Outcome.Adapter!);
        Assert.Equal((AdapterState.Provisional, Corrections), (adapter.State, adapter.Corrections));
        Assert.Equal((0, "no correction is ready that the active adapter has not learned"), worker.CanLearn());

        // Of the work only what says what happened is left.
        Assert.Equal(["lock", "lock.owner", "log.txt", "outcome.json", "plan.json"], Files(id).Append("lock").Append("lock.owner").Order().Distinct());
    }

    [Fact]
    public async Task Job_OfTooFewCorrections_IsRefusedWithTheirNumber()
    {
        await _folder.Data.Database.WriteAsync(connection => connection.Execute("DELETE FROM correction WHERE number = 1"));
        await using var worker = await StartAsync(Succeeds, new LearningOptions { MinimumCorrections = 1, CheckInterval = TimeSpan.FromMilliseconds(20) });
        Assert.Equal((4, "too few corrections to tell whether what they teach is right: 4 of the 5 needed"), worker.CanLearn());
        await Assert.ThrowsAsync<AsrException>(worker.StartJobAsync);
        await Task.Delay(100, Cancelled);
        Assert.Empty(Jobs.List(1));

        // With ten held out, their word error rate decides.
        for (var index = 0; index < 10; index++)
        {
            await _folder.AddAsync($"held out {index}");
        }

        await _folder.Data.Database.WriteAsync(connection => connection.Execute("UPDATE correction SET split = 'held-out' WHERE text LIKE 'held out%'"));
        Assert.Equal((4, null), worker.CanLearn());
    }

    /// <summary>Texts of other captions are turned down before a model is loaded, and leave no adapter.</summary>
    [Fact]
    public async Task Round_OfPoisonedCorrections_IsRejectedBeforeItTrains()
    {
        string[] heard = ["the kettle is on", "bring your umbrella", "nine o'clock sharp", "where are my glasses", "turn left here", "a loaf of bread", "it may snow", "call the doctor"];
        await _folder.Data.Database.WriteAsync(connection => connection.Execute("DELETE FROM correction"));
        foreach (var (index, text) in heard.Index())
        {
            await _folder.AddAsync(text, hypothesis: heard[(index + 3) % heard.Length]);
        }

        var rounds = new LearningRounds(_folder.Data, Registry);
        var job = await Jobs.AddAsync(JobTrigger.ByHand, new JobSettings());
        await Jobs.StartAsync(job.Id);
        await rounds.PlanAsync(job, new LearningModel(Fixtures.Path("micro")), new LearningOptions(), Cancelled);
        var round = RoundFolder.Of(_folder.Directory, job.Id);
        await using var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = _folder.File("none"), SharedDirectory = _folder.File("none") }, new ConfigurationBuilder().Build());
        var outcome = await rounds.ConcludeAsync(round, new LearningRound(plugins).Run(round, _ => { }, Cancelled)!, Cancelled);
        Assert.Equal((GateVerdict.Rejected, null), (outcome.Decision, outcome.Adapter));
        Assert.StartsWith("the corrected texts are no more like the captions that they correct", outcome.Reason, StringComparison.Ordinal);
        Assert.Equal(heard.Length, outcome.Metrics.GetProperty("corrections").GetProperty("corrections").GetInt32());
        Assert.Empty(Registry.List());
        Assert.Equal(JobState.Done, (await Jobs.FinishAsync(job.Id, outcome))!.State);
        Assert.Null(Jobs.Find(job.Id)!.Outcome!.Adapter);
    }

    [Fact]
    public async Task Job_WhoseProcessCrashes_IsStartedAgain()
    {
        await using var worker = await StartAsync($"""if [ ! -e "$1/once" ]; then touch "$1/once"; kill -SEGV $$; fi{'\n'}{Succeeds}""");
        await worker.StartJobAsync();
        Assert.Equal(GateVerdict.Provisional, (await _hub.UntilAsync(job => job.State is JobState.Done or JobState.Failed)).Outcome?.Decision);
        Assert.Equal(2, _starts);
    }

    [Fact]
    public async Task Job_WhoseProcessCrashesAgainAndAgain_Fails()
    {
        await using var worker = await StartAsync("kill -SEGV $$");
        await worker.StartJobAsync();
        var job = await _hub.UntilAsync(job => job.State is JobState.Done or JobState.Failed);
        Assert.StartsWith("the round's process crashed 3 times", job.Error, StringComparison.Ordinal);
        Assert.Equal(3, _starts);
    }

    [Fact]
    public async Task Job_WhoseProcessSaysWhatIsWrong_FailsWithThat()
    {
        await using var worker = await StartAsync("echo 'asr: no trainer is loaded' >&2; exit 1");
        var id = (await worker.StartJobAsync()).Id;
        Assert.Equal("no trainer is loaded", (await _hub.UntilAsync(job => job.State == JobState.Failed)).Error);
        Assert.Equal(1, _starts);
        Assert.Null(await worker.CancelAsync(id));
    }

    [Fact]
    public async Task Job_WithNothingToLearn_IsRefusedAndOneThatWaitsStandsForAnother()
    {
        using var held = ProcessLock.TryTake(Path.Combine(_folder.Directory, LearningWorker.LockFile), TimeProvider.System, out _);
        await using var worker = await StartAsync(Succeeds);
        var first = await worker.StartJobAsync();
        Assert.Equal(first.Id, (await worker.StartJobAsync()).Id);
        Assert.Equal(JobState.Queued, worker.Find(first.Id)!.State);
        Assert.Equal(JobState.Cancelled, (await worker.CancelAsync(first.Id))!.State);
        Assert.Equal(0, _starts);
    }

    [Fact]
    public async Task Job_Cancelled_EndsItsProcess()
    {
        await using var worker = await StartAsync(
            """
            trap 'exit 130' TERM
            echo "{\"phase\":\"training\",\"step\":$$,\"maxSteps\":0,\"values\":{}}"
            while :; do sleep 0.05; done
            """);
        var id = (await worker.StartJobAsync()).Id;
        var running = await _hub.UntilAsync(job => job.Progress?.Phase == "training");
        var process = Process.GetProcessById(running.Progress!.Step);
        Assert.Equal(JobState.Cancelled, (await worker.CancelAsync(id))!.State);
        await process.WaitForExitAsync(Cancelled);
        await worker.StopAsync(Cancelled);
        Assert.Equal(JobState.Cancelled, Jobs.Find(id)!.State);
        Assert.Null(Registry.ActiveId());
    }

    /// <summary>Another process cancels its job, or somebody deletes a correction that it learns from.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Job_ThatIsOverMeanwhile_EndsItsProcessAndLeavesNothing(bool isCancelled)
    {
        await using var worker = await StartAsync(
            """
            mkdir -p "$1/training"; echo '{"text":"text 1"}' > "$1/training/mix.jsonl"
            echo "{\"phase\":\"training\",\"step\":$$,\"maxSteps\":0,\"values\":{}}"
            while :; do sleep 0.05; done
            """);
        var id = (await worker.StartJobAsync()).Id;
        var process = Process.GetProcessById((await _hub.UntilAsync(job => job.Progress?.Phase == "training")).Progress!.Step);
        Assert.True(RoundFolder.Of(_folder.Directory, id).HasWork);
        if (isCancelled)
        {
            await Jobs.CancelAsync(id);
        }
        else
        {
            await new CorrectionStore(_folder.Data, TimeProvider.System).DeleteAsync([2], "it was deleted", (_, _, _) => { });
        }

        var ended = await _hub.UntilAsync(job => job.State is JobState.Cancelled or JobState.Failed);
        Assert.Equal(isCancelled ? null : "a correction that it was to learn from was deleted: nothing was changed; start it again", ended.Error);
        await process.WaitForExitAsync(Cancelled);
        Assert.False(RoundFolder.Of(_folder.Directory, id).HasWork);
        Assert.Null(Registry.ActiveId());
    }

    /// <summary>A round that was stopped has texts in its folder; nobody computes it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Job_StoppedAndThenOver_LeavesNothing(bool isCancelled)
    {
        var job = await StoppedAsync();
        var round = RoundFolder.Of(_folder.Directory, job.Id);
        Assert.True(round.HasWork);
        await using var worker = await StartAsync(Succeeds);
        if (isCancelled)
        {
            Assert.Equal(JobState.Cancelled, (await worker.CancelAsync(job.Id))!.State);
        }
        else
        {
            var store = new CorrectionStore(_folder.Data, TimeProvider.System);

            // One that is none of its does not disturb it.
            await store.DeleteAsync([await _folder.AddAsync("another text")], "it was deleted", (_, _, _) => { });
            Assert.True(round.HasWork);
            await store.DeleteAsync([1], "it was deleted", (_, _, _) => { });
            Assert.Equal(JobState.Failed, Jobs.Find(job.Id)!.State);
        }

        Assert.False(round.HasWork);
        Assert.Equal(0, _starts);
    }

    /// <summary>As when a process is killed after its job was cancelled.</summary>
    [Fact]
    public async Task Host_OnItsStart_ClearsWhatEndedRoundsLeft()
    {
        var job = await StoppedAsync();
        await Jobs.CancelAsync(job.Id);
        var round = RoundFolder.Of(_folder.Directory, job.Id);
        using (ProcessLock.TryTake(round.LockFile, TimeProvider.System, out _))
        {
            RoundTraces.ClearEnded(_folder.Data);
            Assert.True(round.HasWork);
        }

        await using var worker = await StartAsync(Succeeds, new LearningOptions { MinimumCorrections = Corrections, CheckInterval = TimeSpan.FromMilliseconds(50) });
        await _folder.AddAsync("a new text", at: TimeProvider.System.GetUtcNow().AddSeconds(1));
        await _hub.UntilAsync(one => one.State == JobState.Done);
        Assert.False(round.HasWork);
        Assert.NotNull(round.ReadPlan());
    }

    [Fact]
    public async Task Round_WhoseDatasetIsGone_SaysSo()
    {
        var round = RoundFolder.Of(_folder.Directory, (await StoppedAsync()).Id);
        Directory.Delete(round.ReadPlan()!.DatasetFolder, recursive: true);
        await using var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = _folder.File("none"), SharedDirectory = _folder.File("none") }, new ConfigurationBuilder().Build());
        Assert.Contains("is gone", Assert.Throws<AsrException>(() => new LearningRound(plugins).Run(round, _ => { }, Cancelled)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Corrections, 0, 4)]
    [InlineData(12, 0, 2)]
    [InlineData(12, 5, 5)]
    public async Task Plan_OfSoManyCorrections_CrossValidatesInSoManyParts(int corrections, int asked, int folds)
    {
        for (var index = Corrections; index < corrections; index++)
        {
            await _folder.AddAsync($"text {index}");
        }

        var options = new LearningOptions { Folds = asked, EarlierRatio = 0.3 };
        var plan = await new LearningRounds(_folder.Data, Registry).PlanAsync(
            await Jobs.AddAsync(JobTrigger.ByHand, new JobSettings()), new LearningModel(Fixtures.Path("micro")), options, Cancelled);
        Assert.Equal((folds, 0.3), (plan.Training.Folds, plan.Training.EarlierRatio));
        Assert.True(LearningRounds.Follows(plan, options, new JobSettings()));
        Assert.False(LearningRounds.Follows(plan, new LearningOptions { Folds = asked, EarlierRatio = 0.4 }, new JobSettings()));
    }

    /// <summary>Whether it goes on from the active adapter or begins anew: what that one knows is heard again, and what is new is judged.</summary>
    [Theory]
    [InlineData("active", true)]
    [InlineData("fresh", false)]
    public async Task Plan_BehindAnActiveAdapter_ReplaysWhatItKnows(string start, bool goesOn)
    {
        var active = await Registry.AddAsync(
            Fixtures.Path("finetune/lora/initial"),
            new NewAdapter { Base = await BaseModel.HashAsync(Fixtures.Path("micro"), Cancelled), Verdict = GateVerdict.Promoted, Reason = "by hand", Corrections = [1, 2, 3] },
            Cancelled);
        await Registry.PromoteAsync(active.Id, AdapterScope.All, "by hand", cancellationToken: Cancelled);
        var plan = await PlanAsync(new LearningOptions { Start = start }, new JobSettings());
        Assert.Equal((active.Id, goesOn), (plan.Active, plan.GoesOn));
        Assert.Equal([4, 5], Numbers(plan, CorrectionDataset.Train));
        Assert.Equal([1, 2, 3], Numbers(plan, CorrectionDataset.Replay));
        Assert.Equal([1, 2, 3, 4, 5], plan.Corrections);

        // What takes its place owes it nothing.
        plan = await PlanAsync(new LearningOptions { Start = start }, new JobSettings { Rebuild = true });
        Assert.Equal((true, false), (plan.ReplacesActive, plan.GoesOn));
        Assert.Equal([1, 2, 3, 4, 5], Numbers(plan, CorrectionDataset.Train));
        Assert.Empty(Numbers(plan, CorrectionDataset.Replay));

        async Task<RoundPlan> PlanAsync(LearningOptions options, JobSettings settings) => await new LearningRounds(_folder.Data, Registry).PlanAsync(
            await Jobs.AddAsync(JobTrigger.ByHand, settings), new LearningModel(Fixtures.Path("micro")), options, Cancelled);

        static long[] Numbers(RoundPlan plan, string manifest) =>
            [.. DatasetRow.Read(Path.Combine(plan.DatasetFolder, manifest)).Select(row => row.Number).OfType<long>().Order()];
    }

    [Fact]
    public async Task Job_WhileCaptionsAreLate_StandsStillAndThenGoesOn()
    {
        await using var worker = await StartAsync(
            """
            echo "{\"phase\":\"training\",\"step\":$$,\"maxSteps\":0,\"values\":{}}"
            while [ ! -e "$1/go" ]; do sleep 0.05; done

            """ + Succeeds);
        var id = (await worker.StartJobAsync()).Id;
        var process = (await _hub.UntilAsync(job => job.Progress?.Phase == "training")).Progress!.Step;
        _load = new LiveLoad(TimeSpan.FromSeconds(10), 4);
        await _hub.UntilAsync(job => job.Progress?.Phase == "paused");
        if (OperatingSystem.IsLinux())
        {
            // The signal reaches it when it is its turn.
            while ((await File.ReadAllTextAsync($"/proc/{process}/stat", Cancelled)).Split(") ")[^1][0] != 'T')
            {
                await Task.Delay(10, Cancelled);
            }
        }

        await File.WriteAllTextAsync(Path.Combine(RoundFolder.Of(_folder.Directory, id).Directory, "go"), "", Cancelled);
        _load = default;
        Assert.Equal(GateVerdict.Provisional, (await _hub.UntilAsync(job => job.State == JobState.Done)).Outcome!.Decision);
    }

    [Fact]
    public async Task Host_StoppedInTheMiddle_GoesOnWhenItIsBack()
    {
        var first = await StartAsync(
            """
            trap 'touch "$1/saved"; exit 130' TERM
            echo '{"phase":"training","step":1,"maxSteps":2,"values":{}}'
            while :; do sleep 0.05; done
            """);
        var id = (await first.StartJobAsync()).Id;
        await _hub.UntilAsync(job => job.Progress?.Phase == "training");
        await first.StopAsync(Cancelled);
        await first.DisposeAsync();
        Assert.Equal(JobState.Queued, Jobs.Find(id)!.State);
        Assert.Contains("saved", Files(id));

        await using var second = await StartAsync(Succeeds);
        Assert.Equal(id, (await _hub.UntilAsync(job => job.State == JobState.Done)).Id);
    }

    /// <summary>A killed host leaves a job that seems to run; one that another process runs is left alone.</summary>
    [Fact]
    public async Task Host_Killed_TheNextOneTakesItsRoundUp()
    {
        var left = await Jobs.AddAsync(JobTrigger.ByCount, new JobSettings());
        await Jobs.StartAsync(left.Id);
        var held = ProcessLock.TryTake(Path.Combine(_folder.Directory, LearningWorker.LockFile), TimeProvider.System, out _)!;
        await using var worker = await StartAsync(Succeeds);
        Assert.Equal(JobState.Running, worker.Find(left.Id)!.State);
        held.Dispose();
        Assert.Equal(left.Id, (await _hub.UntilAsync(job => job.State == JobState.Done)).Id);
        Assert.Single(Registry.List());
    }

    /// <summary>Killed after the outcome was written, and after the adapter was put into the registry.</summary>
    [Fact]
    public async Task Host_KilledWhileItConcludes_PutsTheAdapterInOnce()
    {
        await using (var worker = await StartAsync(Succeeds))
        {
            await worker.StartJobAsync();
            await _hub.UntilAsync(job => job.State == JobState.Done);
        }

        var job = Jobs.List(1)[0];
        await _folder.Data.Database.WriteAsync(connection => connection.Execute("UPDATE learning_job SET state = 'running', outcome = NULL, ended_at = NULL"));
        _hub.Told.Clear();
        await using var next = await StartAsync("exit 0");
        Assert.Equal(job.Outcome!.Adapter, (await _hub.UntilAsync(one => one.State == JobState.Done)).Outcome!.Adapter);
        Assert.Single(Registry.List());
        Assert.Single(Registry.Activations());
    }

    [Fact]
    public async Task Job_WhoseAdapterWasComparedWithAnother_IsNotPromoted()
    {
        await using var worker = await StartAsync($"while [ ! -e \"$1/go\" ]; do sleep 0.05; done\n{Succeeds}");
        var id = (await worker.StartJobAsync()).Id;
        await _hub.UntilAsync(job => job.State == JobState.Running);
        while (_starts == 0)
        {
            await Task.Delay(10, Cancelled);
        }

        var other = await Registry.AddAsync(
            Fixtures.Path("finetune/lora/initial"),
            new NewAdapter { Base = await BaseModel.HashAsync(Fixtures.Path("micro"), Cancelled), Verdict = GateVerdict.Promoted, Reason = "by hand" },
            Cancelled);
        await Registry.PromoteAsync(other.Id, AdapterScope.All, "by hand", cancellationToken: Cancelled);
        await File.WriteAllTextAsync(Path.Combine(RoundFolder.Of(_folder.Directory, id).Directory, "go"), "", Cancelled);
        var job = await _hub.UntilAsync(job => job.State == JobState.Done);
        Assert.Equal(GateVerdict.Rejected, job.Outcome!.Decision);
        Assert.StartsWith("another adapter was made active while this one was trained", job.Outcome.Reason, StringComparison.Ordinal);
        Assert.Equal(other.Id, Registry.ActiveId());
    }

    [Fact]
    public async Task Jobs_ByCount_StartByThemselvesAndOnce()
    {
        await using var worker = await StartAsync(Succeeds, new LearningOptions { MinimumCorrections = Corrections, CheckInterval = TimeSpan.FromMilliseconds(50) });
        var job = await _hub.UntilAsync(job => job.State == JobState.Done);
        Assert.Equal("by count", job.Trigger);
        await worker.StopAsync(Cancelled);
        Assert.Single(Jobs.List(10));
    }

    /// <summary>A foreground round that was stopped while it trained.</summary>
    private async Task<LearningJob> StoppedAsync()
    {
        var job = await Jobs.AddAsync(JobTrigger.ByHand, new JobSettings { Foreground = true });
        var rounds = new LearningRounds(_folder.Data, Registry);
        await rounds.PlanAsync(job, new LearningModel(Fixtures.Path("micro")), new LearningOptions(), Cancelled);
        var round = RoundFolder.Of(_folder.Directory, job.Id);
        Directory.CreateDirectory(round.Training);
        await File.WriteAllTextAsync(Path.Combine(round.Training, "mix.jsonl"), """{"text":"text 1"}""", Cancelled);
        return job;
    }

    private string[] Files(string id) =>
        [.. Directory.GetFileSystemEntries(RoundFolder.Of(_folder.Directory, id).Directory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private async Task<LearningWorker> StartAsync(string script, LearningOptions? options = null)
    {
        var file = _folder.File(string.Create(CultureInfo.InvariantCulture, $"round-{Guid.NewGuid():n}.sh"));
        await File.WriteAllTextAsync(file, script, Cancelled);
        options ??= new LearningOptions { Automatic = false, CheckInterval = TimeSpan.FromMilliseconds(50) };
        var worker = new LearningWorker(
            Jobs,
            new LearningRounds(_folder.Data, Registry),
            Registry,
            _folder.Data,
            new DatabaseChanges(_folder.Data, TimeProvider.System, NullLogger<DatabaseChanges>.Instance),
            round =>
            {
                Interlocked.Increment(ref _starts);
                var start = new ProcessStartInfo("bash", [file, round.Directory]);
                start.Environment["ADAPTER"] = Fixtures.Path("finetune/lora/initial");
                return start;
            },
            () => _load,
            _hub,
            Options.Create(options),
            TimeProvider.System,
            new ServedModel(Fixtures.Path("micro")),
            NullLogger<LearningWorker>.Instance);
        await worker.StartAsync(Cancelled);
        return worker;
    }

    /// <summary>Keeps what clients are told.</summary>
    private sealed class Hub : IHubContext<CaptionHub>, IHubClients, IClientProxy
    {
        private readonly Channel<bool> _more = Channel.CreateUnbounded<bool>();

        public ConcurrentQueue<LearningJob> Told { get; } = new();

        public IHubClients Clients => this;

        public IGroupManager Groups => throw new NotSupportedException();

        public IClientProxy All => this;

        public Task SendCoreAsync(string method, object?[] args, CancellationToken cancellationToken = default)
        {
            Assert.Equal("TrainingProgress", method);
            Told.Enqueue((LearningJob)args[0]!);

            // As clients get it.
            JsonSerializer.Serialize(args[0], JsonSerializerOptions.Web);
            _more.Writer.TryWrite(true);
            return Task.CompletedTask;
        }

        /// <summary>Waits for a job that was told, or is.</summary>
        public async Task<LearningJob> UntilAsync(Func<LearningJob, bool> isMeant)
        {
            while (true)
            {
                if (Told.LastOrDefault(isMeant) is { } found)
                {
                    return found;
                }

                await _more.Reader.ReadAsync(Cancelled);
            }
        }

        public IClientProxy AllExcept(IReadOnlyList<string> excludedConnectionIds) => throw new NotSupportedException();

        public IClientProxy Client(string connectionId) => throw new NotSupportedException();

        IClientProxy IHubClients<IClientProxy>.Clients(IReadOnlyList<string> connectionIds) => throw new NotSupportedException();

        public IClientProxy Group(string groupName) => throw new NotSupportedException();

        public IClientProxy GroupExcept(string groupName, IReadOnlyList<string> excludedConnectionIds) => throw new NotSupportedException();

        IClientProxy IHubClients<IClientProxy>.Groups(IReadOnlyList<string> groupNames) => throw new NotSupportedException();

        public IClientProxy User(string userId) => throw new NotSupportedException();

        public IClientProxy Users(IReadOnlyList<string> userIds) => throw new NotSupportedException();
    }
}
