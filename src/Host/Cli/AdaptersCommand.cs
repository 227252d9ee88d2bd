using System.CommandLine;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr adapters merge</c>: what can be done with adapters.</summary>
internal static class AdaptersCommand
{
    public static Command Create()
    {
        var command = new Command("adapters", "Works on adapters.");
        command.Subcommands.Add(CreateMerge());
        command.Subcommands.Add(AdaptersRebuild.Create());
        return command;
    }

    private static Command CreateMerge()
    {
        var adapter = new Argument<string>("ADAPTER") { Description = "a PEFT folder, or an adapter's id in the data folder" };
        var writing = new CheckpointWriting();
        var command = new Command("merge", "Merges an adapter into its base model and writes a plain checkpoint.");
        command.Arguments.Add(adapter);
        writing.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
            writing.RunAsync(parsed, writing.Model.FindAdapter(parsed, parsed.GetValue(adapter)!), cancellationToken));
        return command;
    }
}
