using System.CommandLine;
using System.Text.Json;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Rounds;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr learn</c>: one round of fine-tuning and gate over the stored corrections.</summary>
internal static class LearnCommand
{
    public const string Name = "learn";

    /// <summary>Exit code of a round's process that was asked to stop.</summary>
    private const int Stopped = 130;

    public static Command Create()
    {
        var run = new LearnRun();
        var export = new Option<string?>("--export") { Description = "writes the data set that a round would use, with its audio, into a folder, and trains nothing", HelpName = "DIR" };
        var round = new Option<string?>("--round") { Description = "runs the round of this folder, for a host", HelpName = "DIR", Hidden = true };
        var command = new Command(Name, "Learns from the corrections that are ready: trains an adapter, and makes it active when it is better and harms nothing. Ctrl-C saves and stops; the same command goes on.");
        run.AddTo(command);
        command.Options.Add(export);
        command.Options.Add(round);
        command.SetAction((parsed, cancellationToken) =>
            parsed.GetValue(round) is { } folder ? RunForHostAsync(parsed, run, new RoundFolder(folder), cancellationToken)
            : parsed.GetValue(export) is { } directory ? run.ExportAsync(parsed, directory, cancellationToken)
            : run.RunAsync(parsed, JobTrigger.ByHand, new JobSettings(), cancellationToken));
        return command;
    }

    /// <summary>Says how far it is on stdout, a JSON object a line; stops when it is asked to, or when its host is gone.</summary>
    private static async Task<int> RunForHostAsync(ParseResult parsed, LearnRun run, RoundFolder round, CancellationToken cancellationToken)
    {
        using var held = ProcessLock.TryTake(round.LockFile, TimeProvider.System, out var owner);
        if (held is null)
        {
            await Console.Error.WriteLineAsync($"asr: {owner}");
            return RoundProcess.Busy;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        new Thread(() => StopWithoutHost(stop)) { IsBackground = true, Name = "host" }.Start();
        await using var plugins = run.Plugins.Load(parsed);
        var outcome = await DedicatedThread.RunAsync(() => new LearningRound(plugins).Run(round, Say, stop.Token));
        return outcome is null ? Stopped : 0;
    }

    /// <summary>The host holds the other end of standard input, and says nothing.</summary>
    private static void StopWithoutHost(CancellationTokenSource stop)
    {
        while (Console.In.Read() >= 0)
        {
        }

        try
        {
            stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It had ended anyway.
        }
    }

    private static void Say(RoundProgress progress)
    {
        try
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(progress, JsonSerializerOptions.Web));
        }
        catch (IOException)
        {
            // The host is gone; that stops the round by itself.
        }
    }
}
