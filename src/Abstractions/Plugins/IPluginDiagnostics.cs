using System.Text.Json.Serialization;

namespace AsrPlatform.Abstractions.Plugins;

/// <summary>What a plugin can say about its own condition on this machine; shown by <c>asr doctor</c>.</summary>
/// <remarks>
/// A plugin may register any number of them as services. Called on any thread, at any time after the start, never concurrently by one
/// caller; it neither loads models nor changes settings. Disposed with the plugin's services.
/// </remarks>
public interface IPluginDiagnostics
{
    /// <summary>Describes versions, settings and shortcomings, the most important first.</summary>
    IEnumerable<DiagnosticItem> Describe();
}

/// <summary>One line of a diagnosis.</summary>
/// <param name="Name">What it is about, such as <c>LibTorch</c> or <c>threads</c>.</param>
/// <param name="Value">What was found, in one line.</param>
/// <param name="Level">How good that is.</param>
/// <param name="Remedy">The command or step that improves it; null when there is nothing to do.</param>
public sealed record DiagnosticItem(string Name, string Value, DiagnosticLevel Level = DiagnosticLevel.Ok, string? Remedy = null);

/// <summary>How good a finding is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DiagnosticLevel>))]
public enum DiagnosticLevel
{
    /// <summary>As it should be.</summary>
    [JsonStringEnumMemberName("ok")]
    Ok,

    /// <summary>It works, but slowly or incompletely.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>It does not work.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
