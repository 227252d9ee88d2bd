using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>
/// transformers' pipeline with <c>chunk_length_s</c>: windows that overlap are decoded without regard to each other, several at once and of
/// several files, and joined where their tokens agree.
/// </summary>
/// <remarks>
/// Options mean what they mean for <see cref="HuggingFaceDecoder"/>. A window knows no text before it, whatever
/// <see cref="TranscriptionOptions.ConditionOnPreviousText"/> says; the language is that of most windows, unless it is given. The text does
/// not depend on the batch size, except at temperatures above 0. Decodes <see cref="WhisperDecoderInput"/> only.
/// </remarks>
public sealed class ChunkedDecoder : IBatchSpeechDecoder
{
    private const string AlgorithmName = "chunked";

    /// <summary>transformers' defaults, as <see cref="HuggingFaceDecoder.Defaults"/>.</summary>
    public static TranscriptionOptions Defaults { get; } = HuggingFaceDecoder.Defaults with { Algorithm = AlgorithmName };

    /// <inheritdoc />
    public string Name => AlgorithmName;

    /// <inheritdoc />
    public TranscriptionResult Decode(
        SpeechDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(audio);
        FileTranscription? file = null;
        DecodeMany(input, [audio], options, (_, done) => file = done, progress is null ? null : (_, report) => progress(report), cancellationToken);
        return file!.Result ?? throw file.Error!;
    }

    /// <inheritdoc />
    public void DecodeMany(
        SpeechDecoderInput input,
        IEnumerable<IAudioSource> audio,
        TranscriptionOptions options,
        Action<int, FileTranscription> finished,
        Action<int, TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(finished);
        var parts = WhisperDecoderInput.Require(input, Name);
        using var run = new ChunkedTranscription(parts, options, HuggingFaceDecoder.Translate(options, parts, Name), finished, progress, cancellationToken);
        run.Run(audio);
    }
}
