using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Learning.Rounds;
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
        Assert.Equal((AdapterState.Rejected, 6), (adapter.State, adapter.Corrections));
        Assert.Null(Registry.ActiveId());
        Assert.True(Directory.Exists(Path.Combine(_folder.Directory, "datasets", adapter.Card.Dataset!)));
        var job = Assert.Single(Jobs.List(10));
        Assert.Equal((JobState.Done, "by hand", adapter.Id), (job.State, job.Trigger, job.Outcome!.Adapter));

        // Voices and texts are not left about.
        Assert.Equal(["lock", "lock.owner", "outcome.json", "plan.json"], Directory.GetFileSystemEntries(RoundFolder.Of(_folder.Directory, job.Id).Directory).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));

        var rebuilt = JsonDocument.Parse(AsrProcess.Run([.. Arguments(_folder, "adapters", "rebuild"), "--without", "2,4", "--json"]).ShouldSucceed()).RootElement;
        Assert.Equal([1, 3, 5, 6], Registry.Get(rebuilt.GetProperty("adapter").GetString()!).Card.Corrections);
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
        Assert.Equal(6, DatasetRow.Read(Path.Combine(target, CorrectionDataset.Train)).Count);
        Assert.Equal(6, dataset.GetProperty("rows").GetProperty(CorrectionDataset.Train).GetInt32());
        Assert.Empty(Jobs.List(10));
    }

    private static async Task FillAsync(LearningFolder folder)
    {
        foreach (var text in (string[])["take one amber tablet", "the cedar bridge is closed", "call the yard at seven", "nobody heard the quarry", "a plain white fjord", "two vales and a heath"])
        {
            await folder.AddAsync(text, "something else", "anna", at: DateTimeOffset.UnixEpoch);
        }
    }

    /// <summary>Starts a round, and returns when it has saved a checkpoint and is training on.</summary>
    private async Task<Process> StartTrainingAsync()
    {
        var process = AsrProcess.Start(redirectInput: false, Arguments(_folder));
        string? line;
        while ((line = await process.StandardError.ReadLineAsync(Cancelled)) is not null && !line.Contains("step 12/40", StringComparison.Ordinal))
        {
        }

        Assert.NotNull(line);
        return process;
    }

    private static void Send(string signal, int process)
    {
        using var kill = Process.Start("kill", [$"-{signal}", process.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private static byte[] Weights(LearningFolder folder)
    {
        var adapter = Assert.Single(new AdapterRegistry(folder.Data).List());
        return File.ReadAllBytes(Path.Combine(folder.Directory, "adapters", adapter.Id, "adapter_model.safetensors"));
    }

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
