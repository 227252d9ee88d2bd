namespace AsrPlatform.PluginConformance;

/// <summary>What to check.</summary>
public sealed record ConformanceOptions
{
    /// <summary>The folder that holds the plugin's <c>plugin.json</c>.</summary>
    public required string PluginDirectory { get; init; }

    /// <summary>A checkpoint folder for the plugin's backends; null skips what needs one.</summary>
    public string? ModelDirectory { get; init; }

    /// <summary>The folder of the bindings that plugins share; null takes <c>shared</c> beside the plugin's plugins folder.</summary>
    public string? SharedDirectory { get; init; }

    /// <summary>The device that models are loaded on.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>The plugin's settings, as they would stand under <c>Plugins:&lt;id&gt;</c>.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
}
