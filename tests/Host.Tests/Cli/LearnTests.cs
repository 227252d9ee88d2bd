using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Host.Tests.Learning.Datasets;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr learn</c> as a user runs it, on a model whose weights mean nothing: what it decides is right when it refuses.</summary>
public sealed class LearnTests : IDisposable
{
    private readonly LearningFolder _folder = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private AdapterRegistry Registry => new(_folder.Data);

    private LearningJobs Jobs => new(_folder.Data);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Learn_WithoutAHost_TrainsJudgesAndKeepsTheAdapter()
    {
        await FillAsync(_folder);
        var result = AsrProcess.Run([.. Arguments(_folder), "--anchor", _folder.MakeAnchor(), "--json"]);
        var outcome = JsonDocument.Parse(result.ShouldSucceed()).RootElement;
        Assert.Equal(["decision", "adapter", "reason", "seconds", "metrics"], outcome.EnumerateObject().Select(member => member.Name));
        Assert.Equal("rejected", outcome.GetProperty("decision").GetString());
        Assert.NotEmpty(outcome.GetProperty("reason").GetString()!);
        Assert.Equal(JsonValueKind.Object, outcome.GetProperty("metrics").ValueKind);
        Assert.Contains("training, step", result.Error, StringComparison.Ordinal);

        var adapter = Registry.Get(outcome.GetProperty("adapter").GetString()!);
        Assert.Equal((AdapterState.Rejected, 7), (adapter.State, adapter.Corrections));
        Assert.Null(Registry.ActiveId());
        Assert.True(Directory.Exists(Path.Combine(_folder.Directory, "datasets", adapter.Card.Dataset!)));
        var job = Assert.Single(Jobs.List(10));
        Assert.Equal((JobState.Done, "by hand", adapter.Id), (job.State, job.Trigger, job.Outcome!.Adapter));

        // Voices and texts are not left about.
        Assert.Equal(["lock", "lock.owner", "outcome.json", "plan.json"], Directory.GetFileSystemEntries(RoundFolder.Of(_folder.Directory, job.Id).Directory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));

        var rebuilt = JsonDocument.Parse(AsrProcess.Run([.. Arguments(_folder, "adapters", "rebuild"), "--without", "2,4", "--json"]).ShouldSucceed()).RootElement;
        Assert.Equal([1, 3, 5, 6, 7], Registry.Get(rebuilt.GetProperty("adapter").GetString()!).Card.Corrections);
    }

    /// <summary>Ctrl-C's signal and kill -9 in the midst of training: the same command goes on, to the very weights of an unbroken round.</summary>
    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public async Task Learn_Stopped_GoesOnToTheSameAdapter(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals to send.");
        using var unbroken = new LearningFolder();
        await FillAsync(unbroken);
        AsrProcess.Run(Arguments(unbroken)).ShouldSucceed();

        await FillAsync(_folder);
        using (var process = await StartTrainingAsync())
        {
            Send(signal, process.Id);
            var rest = await process.StandardError.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
            if (signal == "TERM")
            {
                Assert.Equal(1, process.ExitCode);
                Assert.Contains("the same command goes on", rest, StringComparison.Ordinal);
            }
        }

        Assert.Equal(signal == "TERM" ? JobState.Queued : JobState.Running, Assert.Single(Jobs.List(10)).State);
        AsrProcess.Run(Arguments(_folder)).ShouldSucceed();
        Assert.Equal(JobState.Done, Assert.Single(Jobs.List(10)).State);
        Assert.Equal(Weights(unbroken), Weights(_folder));
    }

    /// <summary>The process that a host starts listens at its standard input: when the host is killed, it saves and ends, and gives up the round.</summary>
    [Fact]
    public async Task Round_WhoseHostIsGone_SavesAndEnds()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals to send.");
        await FillAsync(_folder);
        using (var killed = await StartTrainingAsync())
        {
            Send("KILL", killed.Id);
            await killed.WaitForExitAsync(Cancelled);
        }

        var round = RoundFolder.Of(_folder.Directory, Assert.Single(Jobs.List(10)).Id);
        string[] arguments = ["learn", "--round", round.Directory, "--data-dir", _folder.Directory];
        using var process = AsrProcess.Start(redirectInput: true, arguments);
        var first = await process.StandardOutput.ReadLineAsync(Cancelled);
        Assert.Equal("data", JsonSerializer.Deserialize<RoundProgress>(first!, JsonSerializerOptions.Web)!.Phase);

        // Nobody else may run it meanwhile, and whoever tries is told who does. It stands still, lest it ends before the other one has begun.
        Send("STOP", process.Id);
        var refused = AsrProcess.Run(arguments);
        Assert.Equal(RoundProcess.Busy, refused.ExitCode);
        Assert.Equal(process.Id, ProcessLock.ProcessIn(refused.Error["asr: ".Length..]));

        process.StandardInput.Close();
        Send("CONT", process.Id);
        await process.StandardOutput.ReadToEndAsync(Cancelled);
        await process.WaitForExitAsync(Cancelled);
        Assert.Equal(130, process.ExitCode);
        Assert.Null(round.ReadOutcome());
        Assert.NotEmpty(Directory.GetDirectories(round.Training, "checkpoint-*"));
    }

    /// <summary>From the environment, and from the command line, which wins: what the trainer is told, and what comes out of it.</summary>
    [Fact]
    public async Task Learn_SettingsFromOutside_ReachTheTraining()
    {
        using var other = new LearningFolder();
        (string, string)[] environment = [("ASR_Learning__LearningRate", "0.01"), ("ASR_Learning__EarlierRatio", "0.25")];
        foreach (var (folder, rate, more) in ((LearningFolder, double, string[])[])[(_folder, 0.01, []), (other, 0.02, ["--set", "Learning:LearningRate=0.02"])])
        {
            await FillAsync(folder);
            using var process = AsrProcess.Start(redirectInput: false, environment, [.. Arguments(folder), "--set", "Learning:Steps=4", .. more]);
            var output = process.StandardOutput.ReadToEndAsync(Cancelled);
            var error = await process.StandardError.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
            Assert.True(process.ExitCode == 0, error);
            await output;
            var config = Assert.Single(new AdapterRegistry(folder.Data).List()).Card.Config!;
            Assert.Equal((rate, 0.25, 4), ((double)config["learningRate"]!, (double)config["earlierRatio"]!, (int)config["steps"]!));
        }

        Assert.NotEqual(Weights(_folder), Weights(other));
    }

    /// <summary>Going on with the old settings would say nothing about the new ones.</summary>
    [Fact]
    public async Task Learn_WithOtherSettingsThanTheRoundThatWasStopped_BeginsAnother()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals to send.");
        await FillAsync(_folder);
        using (var process = await StartTrainingAsync())
        {
            Send("TERM", process.Id);
            await process.StandardError.ReadToEndAsync(Cancelled);
            await process.WaitForExitAsync(Cancelled);
        }

        var stopped = Assert.Single(Jobs.List(10));
        Assert.True(RoundFolder.Of(_folder.Directory, stopped.Id).HasWork);
        var result = AsrProcess.Run([.. Arguments(_folder), "--quiet", "--set", "Learning:LearningRate=0.01"]);
        result.ShouldSucceed();
        Assert.Contains("had other settings", result.Error, StringComparison.Ordinal);
        Assert.Equal([JobState.Done, JobState.Cancelled], Jobs.List(10).Select(job => job.State));
        Assert.False(RoundFolder.Of(_folder.Directory, stopped.Id).HasWork);
        Assert.Equal(0.01, (double)Assert.Single(Registry.List()).Card.Config!["learningRate"]!);
    }

    /// <summary>Cancelled at a page, or a correction that it learns from deleted, both by another process: it ends in the midst of the training.</summary>
    [Theory]
    [InlineData(true, "the round was cancelled: nothing was changed")]
    [InlineData(false, "a correction that it was to learn from was deleted")]
    public async Task Learn_WhoseJobIsOver_StopsAndLeavesNothing(bool isCancelled, string message)
    {
        await FillAsync(_folder);
        using var process = AsrProcess.Start(redirectInput: false, [.. Arguments(_folder), "--set", "Learning:Steps=400"]);
        await UntilStepAsync(process, "training, step");
        var job = Assert.Single(Jobs.List(10));
        if (isCancelled)
        {
            await Jobs.CancelAsync(job.Id);
        }
        else
        {
            await new CorrectionStore(_folder.Data, TimeProvider.System).DeleteAsync([2], "it was deleted", (_, _, _) => { });
        }

        var rest = await process.StandardError.ReadToEndAsync(Cancelled);
        await process.WaitForExitAsync(Cancelled);
        Assert.Equal(1, process.ExitCode);
        Assert.Contains("asr: " + message, rest, StringComparison.Ordinal);
        Assert.False(RoundFolder.Of(_folder.Directory, job.Id).HasWork);
        Assert.Equal(isCancelled ? JobState.Cancelled : JobState.Failed, Jobs.Find(job.Id)!.State);
        Assert.Empty(Registry.List());
    }

    /// <summary>The same round twice: what comes out with a share is the mean of what comes out without, and what it went on from.</summary>
    [Fact]
    public async Task Learn_WithAnAverageShare_KeepsTheMeanWithTheActiveAdapter()
    {
        using var other = new LearningFolder();
        foreach (var (folder, share) in ((LearningFolder, string)[])[(_folder, "1"), (other, "0.25")])
        {
            await FillAsync(folder);
            var registry = new AdapterRegistry(folder.Data);
            var active = await registry.AddAsync(
                Fixtures.Path("finetune/lora/initial"),
                new NewAdapter { Base = await BaseModel.HashAsync(Fixtures.Path("micro"), Cancelled), Verdict = GateVerdict.Promoted, Reason = "by hand" },
                Cancelled);
            await registry.PromoteAsync(active.Id, AdapterScope.All, "by hand", cancellationToken: Cancelled);
            AsrProcess.Run([.. Arguments(folder), "--set", "Learning:Steps=6", "--set", $"Learning:AverageShare={share}"]).ShouldSucceed();
        }

        var trained = Learned(_folder);
        var mean = _folder.File("mean");
        AdapterAveraging.Average(Fixtures.Path("finetune/lora/initial"), trained, 0.25, mean);
        Assert.Equal(Bytes(mean), Bytes(Learned(other)));
        Assert.NotEqual(Bytes(mean), Bytes(trained));
    }

    [Fact]
    public async Task Learn_WhileAnotherRoundRuns_IsRefused()
    {
        await FillAsync(_folder);
        using var held = ProcessLock.TryTake(Path.Combine(_folder.Directory, LearningWorker.LockFile), TimeProvider.System, out _);
        AsrProcess.Run(Arguments(_folder)).ShouldFailWith(string.Create(CultureInfo.InvariantCulture, $"a round of learning runs already (process {Environment.ProcessId} on"));
        Assert.Empty(Jobs.List(10));
    }

    [Fact]
    public void Learn_WithoutCorrections_SaysSo()
    {
        var result = AsrProcess.Run([.. Arguments(_folder), "--quiet"]);
        result.ShouldFailWith("there is nothing to learn: no correction is ready");
        Assert.Equal(JobState.Failed, Assert.Single(Jobs.List(10)).State);
        AsrProcess.Run([.. Arguments(_folder), "--set", "Learning:Rank=3"]).ShouldFailWith("Learning:Rank is no setting");
        AsrProcess.Run([.. Arguments(_folder), "--anchor", _folder.File("nowhere")]).ShouldFailWith("there is no anchor.jsonl in it");
    }

    [Fact]
    public async Task Learn_Export_WritesTheDatasetAndTrainsNothing()
    {
        await FillAsync(_folder);
        var target = _folder.File("exported");
        var dataset = JsonDocument.Parse(AsrProcess.Run([.. Arguments(_folder), "--export", target, "--json"]).ShouldSucceed()).RootElement;
        Assert.Equal(7, DatasetRow.Read(Path.Combine(target, CorrectionDataset.Train)).Count);
        Assert.Equal(7, dataset.GetProperty("rows").GetProperty(CorrectionDataset.Train).GetInt32());
        Assert.Empty(Jobs.List(10));
    }

    private static async Task FillAsync(LearningFolder folder)
    {
        foreach (var text in (string[])["take one amber tablet", "the cedar bridge is closed", "call the yard at seven", "nobody heard the quarry", "a plain white fjord", "two vales and a heath", "bring a lamp upstairs"])
        {
            // Nearly right, as captions are: texts of other captions are turned down untrained.
            await folder.AddAsync(text, text.Replace('a', 'e'), "anna", at: DateTimeOffset.UnixEpoch);
        }
    }

    /// <summary>Starts a round, and returns when it has saved a checkpoint and is training on.</summary>
    private async Task<Process> StartTrainingAsync()
    {
        var process = AsrProcess.Start(redirectInput: false, Arguments(_folder));
        await UntilStepAsync(process, "step 12/40");
        return process;
    }

    private static async Task UntilStepAsync(Process process, string step)
    {
        string? line;
        while ((line = await process.StandardError.ReadLineAsync(Cancelled)) is not null && !line.Contains(step, StringComparison.Ordinal))
        {
        }

        Assert.NotNull(line);
    }

    private static void Send(string signal, int process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static byte[] Weights(LearningFolder folder)
    {
        var adapter = Assert.Single(new AdapterRegistry(folder.Data).List());
        return Bytes(Path.Combine(folder.Directory, "adapters", adapter.Id));
    }

    private static byte[] Bytes(string adapter) => File.ReadAllBytes(Path.Combine(adapter, "adapter_model.safetensors"));

    /// <summary>The folder of the adapter that a round made.</summary>
    private static string Learned(LearningFolder folder) =>
        Path.Combine(folder.Directory, "adapters", Assert.Single(new AdapterRegistry(folder.Data).List(), adapter => adapter.Card.Dataset is not null).Id);

    private static string[] Arguments(LearningFolder folder, params string[] verb) =>
    [
        .. verb.Length == 0 ? ["learn"] : verb,
        "--model", Fixtures.Path("micro"),
        "--data-dir", folder.Directory,
        "--device", "cpu",
        "--threads", "1",
        "--set", "Learning:Steps=40",
        "--set", "Learning:BatchSize=2",
        "--set", "Learning:Folds=2",
    ];
}
