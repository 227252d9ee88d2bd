using System.CommandLine;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr models average</c>: the mean of checkpoints of one training run.</summary>
internal static class ModelsAverage
{
    public static Command Create()
    {
        var sources = new Argument<string[]>("DIR") { Description = "checkpoints of one run, oldest first; everything but the weights is the last one's", Arity = ArgumentArity.OneOrMore };
        var output = CheckpointWriting.CreateOutputDirectory();
        var precision = CheckpointWriting.CreatePrecision();
        var command = new Command("average", "Writes the mean of checkpoints of one training run: about what a decay of the learning rate would bring, without training.");
        command.Arguments.Add(sources);
        command.Options.Add(output);
        command.Options.Add(precision);
        command.SetAction((parsed, cancellationToken) => Task.Run(
            () =>
            {
                var target = parsed.GetValue(output)!;
                CheckpointAverage.Write(parsed.GetValue(sources)!, target, CheckpointWriting.ReadPrecision(parsed, precision), cancellationToken);
                Console.WriteLine(target);
                return 0;
            },
            CancellationToken.None));
        return command;
    }
}
