using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Abstractions.Decoding;

/// <summary>A whole recogniser: audio in, transcript out, by whatever means.</summary>
/// <remarks>Not safe for concurrent calls: the host drives it from one dedicated thread. Calls block.</remarks>
public interface ISpeechRecognizer : IDisposable
{
    /// <summary>What it is.</summary>
    RecognizerInfo Info { get; }

    /// <summary>Transcribes audio of any length.</summary>
    /// <param name="audio">Audio at <see cref="RecognizerInfo.SampleRateHz"/>.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told each finished segment and how far the audio is done; called on the calling thread. May be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">The audio or an option cannot be used; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    TranscriptionResult Transcribe(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress = null,
        CancellationToken cancellationToken = default);
}

/// <summary>Loads recognisers. A plugin registers it as a service (kind <c>recognizer</c>).</summary>
/// <remarks>Safe for concurrent calls.</remarks>
public interface ISpeechRecognizerBackend
{
    /// <summary>Short name that <c>--backend</c> selects.</summary>
    string Name { get; }

    /// <summary>Says whether <see cref="Load"/> can load these options, without reading weights.</summary>
    bool CanLoad(ModelLoadOptions options, out string? reason);

    /// <summary>Loads a recogniser that the caller disposes.</summary>
    /// <exception cref="AsrException">It cannot be loaded; the message says why.</exception>
    ISpeechRecognizer Load(ModelLoadOptions options, CancellationToken cancellationToken = default);
}

/// <summary>What a recogniser is.</summary>
public sealed record RecognizerInfo
{
    /// <summary>Name for people and APIs: the checkpoint folder's name, or the plugin's.</summary>
    public required string Name { get; init; }

    /// <summary>Backend and device, such as <c>torch (cpu)</c>.</summary>
    public required string Backend { get; init; }

    /// <summary>The sample rate that it takes, in hertz.</summary>
    public required int SampleRateHz { get; init; }

    /// <summary>Language codes that it knows, such as <c>en</c>; empty when it knows just one.</summary>
    public IReadOnlyList<string> Languages { get; init; } = [];

    /// <summary>The adapter in use for requests that choose none; <c>base</c> without one.</summary>
    public string AdapterVersion { get; init; } = "base";

    /// <summary>Adapters that a request can choose: <see cref="TranscriptionOptions.Adapter"/>.</summary>
    public IReadOnlyList<string> Adapters { get; init; } = [];

    /// <summary>Whether <see cref="TranscriptionOptions.WordTimestamps"/> can be asked for.</summary>
    public bool SupportsWordTimes { get; init; } = true;
}
