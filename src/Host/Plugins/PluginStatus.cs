using System.Text.Json.Serialization;

namespace AsrPlatform.Host.Plugins;

/// <summary>What became of a plugin at the host's start.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PluginState>))]
internal enum PluginState
{
    /// <summary>It works.</summary>
    [JsonStringEnumMemberName("loaded")]
    Loaded,

    /// <summary>It was built for another contract.</summary>
    [JsonStringEnumMemberName("incompatible")]
    Incompatible,

    /// <summary>Its folder or manifest is wrong, or it does not do what its manifest says.</summary>
    [JsonStringEnumMemberName("invalid")]
    Invalid,

    /// <summary>It threw.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>A native library that it needs cannot be loaded.</summary>
    [JsonStringEnumMemberName("native-missing")]
    NativeMissing,

    /// <summary>Switched off by <c>Plugins:&lt;id&gt;:Enabled</c>.</summary>
    [JsonStringEnumMemberName("disabled")]
    Disabled,
}

/// <summary>A plugin folder and what became of it.</summary>
internal sealed record PluginStatus
{
    /// <summary>The manifest's id; the folder's name when the manifest has none that can be used.</summary>
    public required string Id { get; init; }

    /// <summary>The plugin's version; null when the manifest cannot be used.</summary>
    public string? Version { get; init; }

    /// <summary>The manifest's line for people.</summary>
    public string? Description { get; init; }

    /// <summary>What became of it.</summary>
    public required PluginState State { get; init; }

    /// <summary>Why it is not loaded, in one line.</summary>
    public string? Reason { get; init; }

    /// <summary>The command or step that would load it, where one is known.</summary>
    public string? Remedy { get; init; }

    /// <summary>What it provides, or would.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>Its folder, an absolute path.</summary>
    public required string Directory { get; init; }
}
