using System.Text.Json.Serialization;

namespace AsrPlatform.Abstractions.Plugins;

/// <summary>The contract between host and plugins.</summary>
public static class PluginContract
{
    /// <summary>
    /// The version of this assembly's contract, <c>major.minor</c>. A plugin loads when its major is the same and its minor is not higher.
    /// </summary>
    public static readonly Version Version = new(1, 0);
}

/// <summary>The file <c>plugin.json</c> in a plugin's folder.</summary>
public sealed record PluginManifest
{
    /// <summary>Unique id; letters, digits, <c>.</c>, <c>-</c> and <c>_</c>. Configuration binds from <c>Plugins:&lt;id&gt;</c>.</summary>
    [JsonPropertyName("id")]
    public required string Id { get; init; }

    /// <summary>The plugin's own version.</summary>
    [JsonPropertyName("version")]
    public required string Version { get; init; }

    /// <summary>The contract it was built for, <c>major.minor</c>; see <see cref="PluginContract.Version"/>.</summary>
    [JsonPropertyName("contract")]
    public required string Contract { get; init; }

    /// <summary>File name of the assembly, inside the plugin's folder.</summary>
    [JsonPropertyName("assembly")]
    public required string Assembly { get; init; }

    /// <summary>What it provides; see <see cref="PluginKinds"/>.</summary>
    [JsonPropertyName("kinds")]
    public required IReadOnlyList<string> Kinds { get; init; }

    /// <summary>One line for people; optional.</summary>
    [JsonPropertyName("description")]
    public string? Description { get; init; }

    /// <summary>Native libraries that must load before the plugin is started; optional.</summary>
    [JsonPropertyName("native")]
    public IReadOnlyList<NativeRequirement> Native { get; init; } = [];
}

/// <summary>A native library that a plugin needs.</summary>
public sealed record NativeRequirement
{
    /// <summary>File name or base name, looked for in the plugin's folder, its <c>runtimes</c>, and by the system's loader.</summary>
    [JsonPropertyName("library")]
    public required string Library { get; init; }

    /// <summary>The command or step that brings it; shown when it is missing.</summary>
    [JsonPropertyName("remedy")]
    public string? Remedy { get; init; }
}

/// <summary>What plugins can provide: each kind is a service that the plugin must register.</summary>
public static class PluginKinds
{
    /// <summary><see cref="Models.ISeq2SeqBackend"/>.</summary>
    public const string Seq2SeqBackend = "seq2seq-backend";

    /// <summary><see cref="Decoding.ISpeechRecognizerBackend"/>.</summary>
    public const string Recognizer = "recognizer";

    /// <summary><see cref="Decoding.ISpeechDecoder"/>.</summary>
    public const string Decoder = "decoder";

    /// <summary><see cref="Training.ITrainer"/>.</summary>
    public const string Trainer = "trainer";

    /// <summary><see cref="Adapters.IAdapterProvider"/>.</summary>
    public const string Adapter = "adapter";

    /// <summary><see cref="Audio.IAudioCapture"/>.</summary>
    public const string Capture = "capture";

    /// <summary><see cref="Audio.IVoiceActivityBackend"/>.</summary>
    public const string VoiceActivity = "voice-activity";
}
