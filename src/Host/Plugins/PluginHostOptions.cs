namespace AsrPlatform.Host.Plugins;

/// <summary>Where plugins are looked for.</summary>
internal sealed record PluginHostOptions
{
    /// <summary>Keys under <c>Plugins</c> that are settings of the host, so that no plugin may be called so.</summary>
    public static readonly IReadOnlySet<string> ReservedIds =
        new HashSet<string>(StringComparer.OrdinalIgnoreCase) { nameof(Directory), nameof(SharedDirectory) };

    /// <summary>The folder whose subfolders hold a <c>plugin.json</c> each; need not exist. Default: <c>plugins</c> beside the program.</summary>
    public string Directory { get; init; } = Path.Combine(AppContext.BaseDirectory, "plugins");

    /// <summary>The folder of the assemblies that plugins share; need not exist. Default: <c>shared</c> beside the program.</summary>
    public string SharedDirectory { get; init; } = Path.Combine(AppContext.BaseDirectory, "shared");

    /// <summary>Reads <c>Plugins:Directory</c> and <c>Plugins:SharedDirectory</c>.</summary>
    /// <param name="configuration">The host's configuration.</param>
    /// <param name="directory">The command line's <c>--plugins-dir</c>; wins over the configuration.</param>
    public static PluginHostOptions From(IConfiguration configuration, string? directory = null)
    {
        var defaults = new PluginHostOptions();
        var section = configuration.GetSection("Plugins");
        return new PluginHostOptions
        {
            Directory = Path.GetFullPath(directory ?? section[nameof(Directory)] ?? defaults.Directory),
            SharedDirectory = Path.GetFullPath(section[nameof(SharedDirectory)] ?? defaults.SharedDirectory),
        };
    }
}
