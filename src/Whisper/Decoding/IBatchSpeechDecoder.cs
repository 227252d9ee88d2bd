using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Decoding;

/// <summary>A decoder whose batches take windows of several files.</summary>
public interface IBatchSpeechDecoder : ISpeechDecoder
{
    /// <summary>Decodes files, up to <see cref="TranscriptionOptions.BatchSize"/> windows at once.</summary>
    /// <param name="input">The model and what belongs to it.</param>
    /// <param name="audio">The files, at the features' rate. Each is read to its end before the next is taken.</param>
    /// <param name="options">How; they hold for all files.</param>
    /// <param name="finished">Told each file with its number, in their order, on the calling thread.</param>
    /// <param name="progress">Told a file's number and how far it is, on the calling thread; may be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">An option cannot be used. What is wrong with a file is told to <paramref name="finished"/>.</exception>
    void DecodeMany(
        SpeechDecoderInput input,
        IEnumerable<IAudioSource> audio,
        TranscriptionOptions options,
        Action<int, FileTranscription> finished,
        Action<int, TranscriptionProgress>? progress,
        CancellationToken cancellationToken);
}

/// <summary>A file's transcript, or what is wrong with it; the other one is null.</summary>
public sealed record FileTranscription(TranscriptionResult? Result, AsrException? Error);
