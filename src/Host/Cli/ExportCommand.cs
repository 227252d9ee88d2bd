using System.CommandLine;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr export hf|onnx|check</c>: a model in the files of others.</summary>
internal static class ExportCommand
{
    public static Command Create()
    {
        var command = new Command("export", "Writes a model for other programs.");
        command.Subcommands.Add(CreateHf());
        command.Subcommands.Add(ExportOnnx.Create());
        command.Subcommands.Add(ExportCheck.Create());
        return command;
    }

    private static Command CreateHf()
    {
        var writing = new CheckpointWriting();
        var command = new Command("hf", "Writes a plain checkpoint in Hugging Face's layout, with an adapter merged where one is given.");
        command.Options.Add(writing.Model.Adapter);
        writing.AddTo(command);
        command.SetAction((parsed, cancellationToken) => writing.RunAsync(parsed, writing.Model.ReadAdapter(parsed), cancellationToken));
        return command;
    }
}
