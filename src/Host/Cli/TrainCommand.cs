using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr train</c>: fine-tunes a checkpoint, whole or by an adapter, with the arguments of Hugging Face's Seq2SeqTrainer.</summary>
internal static class TrainCommand
{
    /// <summary>The verb's name.</summary>
    public const string Name = "train";

    /// <summary>How long Ctrl-C waits for the step under way and the checkpoint; a second one does not shorten it, kill does, without harm.</summary>
    public static readonly TimeSpan StopTimeout = TimeSpan.FromHours(1);

    /// <summary>What the last line says; <c>--json</c> and trainer_state.json have the rest.</summary>
    private static readonly string[] MetricsToShow = ["train_loss", "eval_loss", "eval_wer", "train_runtime", "train_samples_per_second"];

    public static Command Create()
    {
        var config = new Option<string?>("--config") { Description = "YAML file of the same settings; the command line goes before it", HelpName = "FILE.yaml" };
        var json = new Option<bool>("--json") { Description = "writes the outcome as one JSON object on stdout" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var plugins = new PluginOptions();
        var command = new Command(Name, "Fine-tunes a checkpoint on a manifest, fully or with LoRA. Ctrl-C saves a checkpoint and stops; --resume-from-checkpoint true goes on.");
        var settings = TrainSettings.All.Select(setting => Setting(setting.Name, setting.ValueName, setting.Description, setting.IsFlag))
            .Concat(TrainingArgument.All.Select(argument => Setting(argument.Name, argument.ValueName, Describe(argument), argument.IsFlag || argument.Name == "resume-from-checkpoint")))
            .Concat(TrainingArgument.Refused.Keys.Select(name => Setting(name, "X", "", isFlag: true, hidden: true)))
            .ToArray();
        foreach (var option in settings)
        {
            command.Options.Add(option);
        }

        command.Options.Add(config);
        command.Options.Add(plugins.Directory);
        command.Options.Add(json);
        command.Options.Add(quiet);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = settings.Where(option => parsed.GetResult(option) is { Implicit: false })
                .ToDictionary(option => option.Name, option => parsed.GetValue(option) ?? "");
            var run = TrainSettings.Read(given, parsed.GetValue(config), ModelOptions.FindDemoModel());
            await using var catalog = plugins.Load(parsed);
            var trainer = catalog.Get<ITrainer>(run.Trainer);
            var adapters = run.TrainsAdapter ? catalog.Get<IAdapterProvider>() : null;
            var silent = parsed.GetValue(quiet);
            var console = new TrainingConsole(silent ? TextWriter.Null : Console.Error, Console.IsErrorRedirected ? null : Width(), TimeProvider.System);
            TrainingOutcome outcome;
            try
            {
                outcome = await DedicatedThread.RunAsync(() => TrainRun.Execute(run, trainer, adapters, console.Report, silent, cancellationToken));
            }
            finally
            {
                console.Close();
            }

            return Finish(run, outcome, parsed.GetValue(json), silent);
        });
        return command;
    }

    private static Option<string?> Setting(string name, string valueName, string description, bool isFlag, bool hidden = false) => new($"--{name}")
    {
        Description = description,
        HelpName = valueName,
        Arity = isFlag ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
        Hidden = hidden,
    };

    private static string Describe(TrainingArgument argument) =>
        argument.Format(new TrainingArguments()) is { } value && !argument.IsFlag ? $"{argument.Description}; default: {value}" : argument.Description;

    private static int Width()
    {
        try
        {
            return Console.WindowWidth is > 0 and var width ? width : 80;
        }
        catch (IOException)
        {
            return 80;
        }
    }

    /// <summary>Says how it ended. A run that was stopped did not do what was asked: exit code 1.</summary>
    private static int Finish(TrainSettings run, TrainingOutcome outcome, bool json, bool quiet)
    {
        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object?>
            {
                ["completed"] = outcome.Completed,
                ["step"] = outcome.Step,
                ["max_steps"] = outcome.MaxSteps,
                ["output_dir"] = run.OutputDirectory,
                ["last_checkpoint"] = outcome.LastCheckpoint,
                ["best_checkpoint"] = outcome.BestCheckpoint,

                // JSON has no infinities.
                ["metrics"] = outcome.Metrics.ToDictionary(pair => pair.Key, pair => double.IsFinite(pair.Value) ? pair.Value : (double?)null),
            }));
        }

        if (!outcome.Completed)
        {
            Console.Error.WriteLine(outcome.LastCheckpoint is { } checkpoint
                ? $"asr: stopped at step {outcome.Step} of {outcome.MaxSteps}; saved {checkpoint}. The same command with --resume-from-checkpoint true goes on from there."
                : $"asr: stopped at step {outcome.Step} of {outcome.MaxSteps}; nothing was saved.");
            return 1;
        }

        if (!quiet)
        {
            var metrics = string.Join(", ", MetricsToShow.Where(outcome.Metrics.ContainsKey)
                .Select(name => string.Create(CultureInfo.InvariantCulture, $"{name} {outcome.Metrics[name]:0.####}")));
            Console.Error.WriteLine($"done: {run.OutputDirectory}" + (metrics.Length > 0 ? $" ({metrics})" : ""));
        }

        return 0;
    }
}
