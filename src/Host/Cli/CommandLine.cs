using System.CommandLine;
using AsrPlatform.Abstractions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Cli;

/// <summary>The verbs of <c>asr</c>: exit code 0 success, 1 failure, 2 usage; errors go to stderr, one line each.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("AsrPlatform: live captions that learn from their corrections.");
        foreach (var command in Commands())
        {
            root.Subcommands.Add(command);
        }

        var parsed = root.Parse(args);
        string[] errors = [.. parsed.Errors.Select(error => error.Message), .. UnknownOptions(parsed)];
        if (errors.Length > 0)
        {
            foreach (var error in errors)
            {
                await Console.Error.WriteLineAsync($"asr: {error}");
            }

            await Console.Error.WriteLineAsync("asr: see 'asr --help', or 'asr VERB --help'.");
            return 2;
        }

        try
        {
            // Ctrl-C cancels the verb's token; what is under way (a session's last words) gets this long to finish.
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = parsed.CommandResult.Command.Name switch
                {
                    TrainCommand.Name or LearnCommand.Name => TrainCommand.StopTimeout,
                    ServeCommand.Name => ServeCommand.StopTimeout,
                    _ => TimeSpan.FromSeconds(30),
                },
            });
        }
        catch (AsrException error)
        {
            await Console.Error.WriteLineAsync($"asr: {error.Message}");
            return 1;
        }
        catch (OptionsValidationException error)
        {
            await Console.Error.WriteLineAsync($"asr: the settings cannot be used: {string.Join(" ", error.Failures)}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("asr: cancelled");
            return 1;
        }
        catch (Exception error) when (Environment.GetEnvironmentVariable("ASR_DEBUG") is not "1")
        {
            await Console.Error.WriteLineAsync(
                $"asr: a defect of the program: {error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")} (ASR_DEBUG=1 shows where; please report it)");
            return 1;
        }
    }

    /// <summary>An argument that takes several values swallows a mistyped option as one of them; a file of such a name can be given as ./--name.</summary>
    private static IEnumerable<string> UnknownOptions(ParseResult parsed) =>
        from argument in parsed.CommandResult.Command.Arguments
        from token in parsed.GetResult(argument)?.Tokens ?? []
        where token.Value.Length > 1 && token.Value[0] == '-'
        select $"Unknown option '{token.Value}'.";

    /// <summary>One file a verb.</summary>
    private static IEnumerable<Command> Commands() =>
    [
        ServeCommand.Create(),
        StreamCommand.Create(),
        TranscribeCommand.Create(),
        TrainCommand.Create(),
        LearnCommand.Create(),
        EvaluateCommand.Create(),
        SynthesizeCommand.Create(),
        KeysCommand.Create(),
        ConfidenceCommand.Create(),
        ModelsCommand.Create(),
        CorrectionsCommand.Create(),
        AdaptersCommand.Create(),
        ExportCommand.Create(),
        BenchCommand.Create(),
        DoctorCommand.Create(),
        InspectCommand.Create(),
    ];
}
