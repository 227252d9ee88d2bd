using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Tokens;

namespace AsrPlatform.Abstractions.Decoding;

/// <summary>An algorithm that drives a Seq2Seq model over audio of any length.</summary>
/// <remarks>Stateless between calls; one call at a time per model.</remarks>
public interface ISpeechDecoder
{
    /// <summary>Name that <c>--algorithm</c> selects, such as <c>openai</c>.</summary>
    string Name { get; }

    /// <summary>Transcribes. Parameters and errors as for <see cref="ISpeechRecognizer.Transcribe"/>.</summary>
    TranscriptionResult Decode(
        SpeechDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken);
}

/// <summary>The parts that a decoder works with. A model family derives from it to add what its decoders need besides.</summary>
/// <param name="Model">The model; owned by the caller.</param>
/// <param name="Features">The features that the model was trained on.</param>
/// <param name="Tokenizer">The model's tokenizer.</param>
public record SpeechDecoderInput(ISeq2SeqModel Model, IFeatureExtractor Features, ITokenizer Tokenizer);
