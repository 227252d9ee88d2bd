using System.CommandLine;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Rounds;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr adapters rebuild</c>: a clean successor of the active adapter, trained from nothing on the corrections that are left.</summary>
internal static class AdaptersRebuild
{
    public static Command Create()
    {
        var run = new LearnRun();
        var without = new Option<string?>("--without") { Description = "numbers of corrections to leave out, separated by commas; deleted ones are left out in any case", HelpName = "N,N…" };
        var command = new Command("rebuild", "Trains an adapter from nothing on the corrections that are ready, and puts it in the place of the active one through the same gate, compared with the base model.");
        run.AddTo(command);
        command.Options.Add(without);
        command.SetAction((parsed, cancellationToken) =>
            run.RunAsync(parsed, JobTrigger.Rebuild, new JobSettings { Rebuild = true, Without = Numbers(parsed.GetValue(without)) }, cancellationToken));
        return command;
    }

    private static long[] Numbers(string? text) => [.. (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
        .Select(part => long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new AsrException($"--without {part}: give numbers of corrections, as asr corrections list shows them"))
        .Order()];
}
