using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>OpenAI's <c>transcribe()</c>: windows of 30 s one after the other, divided where the model's timestamps say.</summary>
/// <remarks>
/// Features are those of the whole file, read in bounded memory; a window that fails a threshold is decoded again at the next
/// temperature; the text before is the prompt of the next window. Decodes <see cref="WhisperDecoderInput"/> only.
/// </remarks>
public sealed class OpenAiDecoder : ISpeechDecoder
{
    /// <inheritdoc />
    public string Name => "openai";

    /// <inheritdoc />
    public TranscriptionResult Decode(
        SpeechDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(options);
        if (options.LengthPenalty is < 0 or > 1)
        {
            throw new AsrException($"The length penalty is {options.LengthPenalty}; --algorithm {Name} expects 0…1.");
        }

        using var transcription = new Transcription(WhisperDecoderInput.Require(input, Name), audio, options, progress, cancellationToken);
        return transcription.Run();
    }
}
