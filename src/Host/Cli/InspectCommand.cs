using System.CommandLine;
using AsrPlatform.Host.Cli.Inspect;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr inspect …</c>: what the parts of the pipeline compute, in forms that a program can compare.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var command = new Command("inspect", "Shows what a part of the pipeline computes.");
        command.Subcommands.Add(InspectFeatures.Create());
        command.Subcommands.Add(InspectModel.CreateEncoder());
        command.Subcommands.Add(InspectModel.CreateLogits());
        command.Subcommands.Add(InspectTokens.Create());
        command.Subcommands.Add(InspectNormalize.Create());
        command.Subcommands.Add(InspectWer.Create());
        command.Subcommands.Add(InspectCurves.Create());
        return command;
    }
}
