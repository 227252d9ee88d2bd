using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.ModelHub;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Cli;

/// <summary>The options of every verb that loads a model.</summary>
internal sealed class ModelOptions
{
    /// <summary>Where the shipped model lies, relative to the repository that the application was built in.</summary>
    private const string DemoModel = "models/demo";

    public Option<string?> Model { get; } = new("--model") { Description = "checkpoint folder (Hugging Face layout), or ORG/NAME of a pulled one; default: the demo model", HelpName = "DIR" };

    public Option<string?> Backend { get; } = new("--backend") { Description = "the backend that runs it; default: for live captions on a processor onnx, else torch, else any that can", HelpName = "NAME" };

    public Option<string> Device { get; } = new("--device") { Description = "cpu, cuda, cuda:0, …", HelpName = "NAME", DefaultValueFactory = _ => "auto" };

    public Option<int> Threads { get; } = new("--threads") { Description = "threads for computation; 0 lets the backend choose", HelpName = "N", DefaultValueFactory = _ => 0 };

    public Option<string?> Adapter { get; } = new("--adapter") { Description = "an adapter's id or PEFT folder, 'active' or 'none'", HelpName = "ID|DIR" };

    public Option<string?> DataDirectory { get; } = new("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };

    public PluginOptions Plugins { get; } = new();

    public void AddTo(Command command)
    {
        command.Options.Add(Model);
        command.Options.Add(Backend);
        command.Options.Add(Device);
        command.Options.Add(Threads);
        command.Options.Add(Adapter);
        command.Options.Add(DataDirectory);
        command.Options.Add(Plugins.Directory);
    }

    /// <summary>Reads the options.</summary>
    /// <exception cref="AsrException">An option cannot be used.</exception>
    public ModelRequest Read(ParseResult parsed) => Request(parsed, ReadAdapter(parsed));

    /// <summary>Reads the options of a service: whatever is active is followed while it runs, unless an adapter or none is named.</summary>
    /// <exception cref="AsrException">An option cannot be used.</exception>
    public (ModelRequest Request, ServedModel Served) ReadServed(ParseResult parsed)
    {
        var follows = parsed.GetValue(Adapter) is null or "active";
        var request = Request(parsed, follows ? null : ReadAdapter(parsed)) with { IsLive = true };
        return (request, new ServedModel(request.Load.ModelDirectory, IsPinned: !follows));
    }

    private ModelRequest Request(ParseResult parsed, string? adapterDirectory)
    {
        var threads = parsed.GetValue(Threads);
        if (threads < 0)
        {
            throw new AsrException($"--threads {threads}: give 0 or more");
        }

        return new ModelRequest(
            parsed.GetValue(Backend),
            new ModelLoadOptions
            {
                ModelDirectory = FindDirectory(parsed),
                Device = parsed.GetValue(Device)!,
                Threads = threads,
            },
            adapterDirectory);
    }

    /// <summary>The folder of the adapter that is named; null for none.</summary>
    /// <exception cref="AsrException">There is no such adapter.</exception>
    public string? ReadAdapter(ParseResult parsed)
    {
        var adapter = parsed.GetValue(Adapter);
        return adapter switch
        {
            null or "none" => null,
            "active" => Registered(parsed, static registry => registry.ActiveId()),
            _ => FindAdapter(parsed, adapter),
        };
    }

    /// <summary>The folder of an adapter: the folder of that name, else the one of that id in the data folder.</summary>
    /// <exception cref="AsrException">There is none, or one of the registry is damaged or of another base model.</exception>
    public string FindAdapter(ParseResult parsed, string adapter)
    {
        if (Directory.Exists(adapter))
        {
            return Path.GetFullPath(adapter);
        }

        if (Registered(parsed, registry => registry.Find(adapter)?.Id) is { } registered)
        {
            return registered;
        }

        var folder = Host.DataDirectory.Adapters(Host.DataDirectory.Resolve(parsed.GetValue(DataDirectory)));
        var stored = adapter is "." or ".." || adapter.AsSpan().IndexOfAny('/', '\\') >= 0 ? null : Path.Combine(folder, adapter);
        return stored is not null && Directory.Exists(stored)
            ? stored
            : throw new AsrException($"adapter {adapter}: there is no such folder, and no adapter of that id in {folder}");
    }

    /// <summary>The folder of the model, for verbs that read its files alone.</summary>
    /// <exception cref="AsrException">None is given, and there is no demo model.</exception>
    public string ReadDirectory(ParseResult parsed) => FindDirectory(parsed) ?? throw new AsrException("no model: give a checkpoint folder with --model DIR");

    /// <summary>The folder of the model that is named, else of the demo model; null when there is none.</summary>
    public string? FindDirectory(ParseResult parsed) => Pulled(parsed.GetValue(Model), parsed.GetValue(DataDirectory)) ?? FindDemoModel();

    /// <summary>Loads the recogniser that the options name, hands it to <paramref name="work"/> on a thread of its own, and disposes it.</summary>
    public async Task<T> UseRecognizerAsync<T>(ParseResult parsed, Func<ISpeechRecognizer, T> work, CancellationToken cancellationToken)
    {
        var request = Read(parsed);
        await using var catalog = Plugins.Load(parsed);
        return await DedicatedThread.RunAsync(() =>
        {
            using var recognizer = RecognizerLoader.Load(catalog, request, cancellationToken);
            return work(recognizer);
        });
    }

    /// <summary>The checked folder of an adapter of the registry; null where there is no registry or it has none such.</summary>
    private string? Registered(ParseResult parsed, Func<AdapterRegistry, string?> find)
    {
        var directory = Host.DataDirectory.Resolve(parsed.GetValue(DataDirectory));
        if (!DataFolder.Exists(directory))
        {
            return null;
        }

        using var folder = DataFolder.OpenBeside(directory, TimeProvider.System);
        var registry = new AdapterRegistry(folder);
        if (find(registry) is not { } id)
        {
            return null;
        }

        return Task.Run(OpenAsync).GetAwaiter().GetResult();

        async Task<string> OpenAsync() => await registry.OpenAsync(id, FindDirectory(parsed) is { } model ? await BaseModel.HashAsync(model) : null);
    }

    /// <summary>The folder of a pulled model that is given by its name; what is given otherwise.</summary>
    private static string? Pulled(string? given, string? dataDirectory)
    {
        if (given is null || Directory.Exists(given) || !ModelName.IsValid(given))
        {
            return given;
        }

        var folder = ModelName.FolderIn(Host.DataDirectory.Models(Host.DataDirectory.Resolve(null)), given);
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
