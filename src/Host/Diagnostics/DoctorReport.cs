using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>What <c>asr doctor</c> found; its JSON form is for programs.</summary>
internal sealed record DoctorReport
{
    /// <summary>Whether a plugin is loaded that turns audio into text.</summary>
    public required bool CanTranscribe { get; init; }

    /// <summary>The folder that was searched for plugins.</summary>
    public required string PluginsDirectory { get; init; }

    /// <summary>Every plugin with what became of it.</summary>
    public required IReadOnlyList<PluginStatus> Plugins { get; init; }

    /// <summary>The devices of each backend.</summary>
    public required IReadOnlyList<DoctorDevice> Devices { get; init; }

    /// <summary>Findings about the program, the machine and what the plugins say of themselves.</summary>
    public required IReadOnlyList<DoctorSection> Sections { get; init; }
}

/// <summary>A device that a backend can use.</summary>
internal sealed record DoctorDevice(string Backend, string Name, string Description);

/// <summary>Findings of one subject.</summary>
internal sealed record DoctorSection(string Name, IReadOnlyList<DiagnosticItem> Items);

[JsonSerializable(typeof(DoctorReport))]
internal sealed partial class DoctorJsonContext : JsonSerializerContext
{
    /// <summary>Camel case, indented, and with quotes and dashes as they are: for terminals and files.</summary>
    public static DoctorJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
