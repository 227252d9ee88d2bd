using AsrPlatform.Abstractions;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.Host.Plugins;

/// <summary>The plugins of one start of the host: an unchanging list of what each became, and the services of those that loaded.</summary>
/// <remarks>
/// Safe for concurrent calls. Services belong to the catalogue and end with it; what they make (models, recognisers) belongs to
/// whoever had it made and must be disposed before.
/// </remarks>
internal sealed class PluginCatalog : IAsyncDisposable
{
    private readonly IReadOnlyList<PluginInstance> _plugins;
    private readonly PluginHostOptions _options;
    private readonly ILogger _logger;
    private int _disposed;

    private PluginCatalog(IReadOnlyList<PluginInstance> plugins, PluginHostOptions options, ILogger logger)
    {
        _plugins = plugins;
        _options = options;
        _logger = logger;
        Statuses = [.. plugins.Select(plugin => plugin.Status)];
    }

    /// <summary>The folder that was searched.</summary>
    public string Directory => _options.Directory;

    /// <summary>Every plugin folder in the order of its name, with what became of it.</summary>
    public IReadOnlyList<PluginStatus> Statuses { get; }

    /// <summary>Looks at every subfolder of the plugins folder that holds a <c>plugin.json</c>, and starts what can be started.</summary>
    /// <param name="options">Where to look.</param>
    /// <param name="configuration">The host's configuration; plugins see their section of it.</param>
    /// <param name="loggers">The host's loggers; null for none.</param>
    /// <remarks>Never throws because of a plugin.</remarks>
    public static PluginCatalog Load(PluginHostOptions options, IConfiguration configuration, ILoggerFactory? loggers = null) =>
        Load(Directories(options), options, configuration, loggers);

    /// <summary>Starts the plugin of one folder alone, wherever it lies.</summary>
    /// <param name="directory">The folder of a <c>plugin.json</c>.</param>
    /// <param name="sharedDirectory">The folder of the assemblies that plugins share.</param>
    /// <param name="configuration">As for <see cref="Load(PluginHostOptions, IConfiguration, ILoggerFactory?)"/>.</param>
    /// <param name="loggers">The host's loggers; null for none.</param>
    public static PluginCatalog LoadOne(string directory, string sharedDirectory, IConfiguration configuration, ILoggerFactory? loggers = null)
    {
        var canonical = CanonicalPath.Of(directory);
        var options = new PluginHostOptions { Directory = Path.GetDirectoryName(canonical)!, SharedDirectory = sharedDirectory };
        return Load([canonical], options, configuration, loggers);
    }

    private static PluginCatalog Load(IEnumerable<string> directories, PluginHostOptions options, IConfiguration configuration, ILoggerFactory? loggers)
    {
        loggers ??= NullLoggerFactory.Instance;
        NativeEnvironment.SetDefaults();
        var logger = loggers.CreateLogger<PluginCatalog>();
        var loader = new PluginLoader(SharedAssemblies.In(options.SharedDirectory), configuration, loggers);
        var plugins = new List<PluginInstance>();
        var directoryOf = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var directory in directories)
        {
            var plugin = RequireUniqueNames(
                loader.Load(directory, options.Directory, id =>
                {
                    if (!directoryOf.TryAdd(id, directory))
                    {
                        throw new PluginRejectedException(
                            PluginState.Invalid,
                            $"the id '{id}' is taken by {directoryOf[id]}",
                            "remove one of the two folders");
                    }
                }),
                plugins);
            PluginLog.Status(logger, plugin.Status);
            plugins.Add(plugin);
        }

        return new PluginCatalog(plugins, options, logger);
    }

    /// <summary>All services of a type over all loaded plugins, in the order of the plugins.</summary>
    public IReadOnlyList<T> GetServices<T>()
        where T : class => [.. GetServicesByPlugin<T>().Select(pair => pair.Service)];

    /// <summary>All services of a type with the plugin that each comes from.</summary>
    public IEnumerable<(PluginStatus Plugin, T Service)> GetServicesByPlugin<T>()
        where T : class
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        return
            from plugin in _plugins
            from service in plugin.Services?.GetServices<T>() ?? []
            select (plugin.Status, service);
    }

    /// <summary>The service that a name selects.</summary>
    /// <typeparam name="T">The service type of a kind, such as <see cref="Abstractions.Models.ISeq2SeqBackend"/>.</typeparam>
    /// <param name="name">Its name, letter case aside; null takes the first.</param>
    /// <exception cref="AsrException">There is none; the message lists those that there are and why others are not loaded.</exception>
    public T Get<T>(string? name = null)
        where T : class
    {
        var kind = PluginKind.All.Single(kind => kind.Service == typeof(T));
        var services = GetServices<T>();
        return services.FirstOrDefault(service => name is null || string.Equals(kind.NameOf(service), name, StringComparison.OrdinalIgnoreCase))
            ?? throw new AsrException(WhyNone(kind, name, [.. services.Select(service => kind.NameOf(service))]));
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        foreach (var plugin in _plugins)
        {
            if (plugin.Services is { } services)
            {
                try
                {
                    await services.DisposeAsync();
                }
                catch (Exception error)
                {
                    PluginLog.DisposeFailed(_logger, error);
                }
            }
        }
    }

    private static IEnumerable<string> Directories(PluginHostOptions options) =>
        System.IO.Directory.Exists(options.Directory)
            ? System.IO.Directory.EnumerateDirectories(options.Directory, "*", new EnumerationOptions { IgnoreInaccessible = true })
                .Where(directory => File.Exists(Path.Combine(directory, PluginManifestFile.Name)))
                .Order(StringComparer.Ordinal)
            : [];

    /// <summary>Two services of one kind and name could not be told apart: the later plugin gives way.</summary>
    private static PluginInstance RequireUniqueNames(PluginInstance plugin, List<PluginInstance> earlier)
    {
        if (plugin.Services is null)
        {
            return plugin;
        }

        foreach (var kind in plugin.Status.Kinds.Select(kind => PluginKind.Find(kind)!))
        {
            foreach (var name in Names(plugin, kind))
            {
                if (earlier.FirstOrDefault(other => Names(other, kind).Contains(name, StringComparer.OrdinalIgnoreCase)) is { } owner)
                {
                    plugin.Services.Dispose();
                    return new PluginInstance(
                        plugin.Status with
                        {
                            State = PluginState.Invalid,
                            Reason = $"the {kind.Noun} '{name}' is already provided by the plugin '{owner.Status.Id}'",
                            Remedy = $"set Plugins:{owner.Status.Id}:Enabled to false to use this one",
                        },
                        Services: null);
                }
            }
        }

        return plugin;
    }

    private static IEnumerable<string> Names(PluginInstance plugin, PluginKind kind) =>
        plugin.Services?.GetServices(kind.Service).Select(service => kind.NameOf(service!)) ?? [];

    private string WhyNone(PluginKind kind, string? name, IReadOnlyList<string> available)
    {
        var sentences = new List<string>
        {
            name is null ? $"no {kind.Noun} is loaded" : $"there is no {kind.Noun} '{name}'",
        };
        if (available.Count > 0)
        {
            sentences.Add($"there are: {string.Join(", ", available)}");
        }
        else if (_plugins.SelectMany(plugin => PluginKind.All.SelectMany(other => Names(plugin, other).Select(found => $"{other.Noun} '{found}'"))).ToList() is { Count: > 0 } others)
        {
            sentences.Add($"loaded are: {string.Join(", ", others)}");
        }

        foreach (var status in Statuses.Where(status => status.State != PluginState.Loaded && (status.Kinds.Count == 0 || status.Kinds.Contains(kind.Name))))
        {
            sentences.Add($"plugin '{status.Id}' is not loaded: {status.Reason}" + (status.Remedy is null ? "" : $" ({status.Remedy})"));
        }

        if (Statuses.Count == 0)
        {
            sentences.Add($"no plugin lies in {_options.Directory}");
        }

        return string.Join("; ", sentences);
    }
}
