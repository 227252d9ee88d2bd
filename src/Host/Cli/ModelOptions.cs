using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.ModelHub;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Cli;

/// <summary>The options of every verb that loads a model.</summary>
internal sealed class ModelOptions
{
    /// <summary>Where the shipped model lies, relative to the repository that the application was built in.</summary>
    private const string DemoModel = "models/demo";

    public Option<string?> Model { get; } = new("--model") { Description = "checkpoint folder (Hugging Face layout), or ORG/NAME of a pulled one; default: the demo model", HelpName = "DIR" };

    public Option<string?> Backend { get; } = new("--backend") { Description = "the backend that runs it; default: the first that can", HelpName = "NAME" };

    public Option<string> Device { get; } = new("--device") { Description = "cpu, cuda, cuda:0, …", HelpName = "NAME", DefaultValueFactory = _ => "auto" };

    public Option<int> Threads { get; } = new("--threads") { Description = "threads for computation; 0 lets the backend choose", HelpName = "N", DefaultValueFactory = _ => 0 };

    public Option<string?> Adapter { get; } = new("--adapter") { Description = "an adapter's id or PEFT folder, 'active' or 'none'", HelpName = "ID|DIR" };

    public PluginOptions Plugins { get; } = new();

    public void AddTo(Command command)
    {
        command.Options.Add(Model);
        command.Options.Add(Backend);
        command.Options.Add(Device);
        command.Options.Add(Threads);
        command.Options.Add(Adapter);
        command.Options.Add(Plugins.Directory);
    }

    /// <summary>Reads the options.</summary>
    /// <exception cref="AsrException">An option cannot be used.</exception>
    public (string? Backend, ModelLoadOptions Load) Read(ParseResult parsed)
    {
        if (parsed.GetValue(Adapter) is { } adapter && adapter is not ("none" or "active"))
        {
            throw new AsrException($"--adapter {adapter}: no plugin that reads adapters is loaded (see './asr doctor'); merge the adapter into a checkpoint and give that with --model");
        }

        var threads = parsed.GetValue(Threads);
        if (threads < 0)
        {
            throw new AsrException($"--threads {threads}: give 0 or more");
        }

        return (
            parsed.GetValue(Backend),
            new ModelLoadOptions
            {
                ModelDirectory = Pulled(parsed.GetValue(Model)) ?? FindDemoModel(),
                Device = parsed.GetValue(Device)!,
                Threads = threads,
            });
    }

    /// <summary>The folder of the model, for verbs that read its files alone.</summary>
    /// <exception cref="AsrException">None is given, and there is no demo model.</exception>
    public string ReadDirectory(ParseResult parsed) =>
        Pulled(parsed.GetValue(Model)) ?? FindDemoModel() ?? throw new AsrException("no model: give a checkpoint folder with --model DIR");

    /// <summary>Loads the recogniser that the options name, hands it to <paramref name="work"/> on a thread of its own, and disposes it.</summary>
    public async Task<T> UseRecognizerAsync<T>(ParseResult parsed, Func<ISpeechRecognizer, T> work, CancellationToken cancellationToken)
    {
        var (backend, load) = Read(parsed);
        await using var catalog = Plugins.Load(parsed);
        return await DedicatedThread.RunAsync(() =>
        {
            using var recognizer = RecognizerLoader.Load(catalog, backend, load, cancellationToken);
            return work(recognizer);
        });
    }

    /// <summary>The folder of a pulled model that is given by its name; what is given otherwise.</summary>
    private static string? Pulled(string? given)
    {
        if (given is null || Directory.Exists(given) || !ModelName.IsValid(given))
        {
            return given;
        }

        var folder = ModelName.FolderIn(DataDirectory.Models(DataDirectory.Resolve(null)), given);
        return Directory.Exists(folder) ? folder : given;
    }

    /// <summary>The demo model's folder, or null where it is not shipped.</summary>
    public static string? FindDemoModel()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = Path.Combine(folder.FullName, DemoModel);
            if (File.Exists(Path.Combine(candidate, "config.json")))
            {
                return candidate;
            }
        }

        return null;
    }
}
