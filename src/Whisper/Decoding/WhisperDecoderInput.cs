using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding;

/// <summary>The parts of a Whisper checkpoint that its decoders work with.</summary>
public sealed record WhisperDecoderInput : SpeechDecoderInput
{
    /// <summary>Puts parts of one checkpoint together.</summary>
    public WhisperDecoderInput(
        ISeq2SeqModel model, LogMelExtractor features, WhisperTokenizer tokenizer, WhisperConfig config, GenerationConfig generation)
        : base(model, features, tokenizer)
    {
        Features = features;
        Tokenizer = tokenizer;
        Config = config;
        Generation = generation;
    }

    /// <summary>The features that the model was trained on.</summary>
    public new LogMelExtractor Features { get; }

    /// <summary>The model's tokenizer.</summary>
    public new WhisperTokenizer Tokenizer { get; }

    /// <summary>The architecture.</summary>
    public WhisperConfig Config { get; }

    /// <summary>How the checkpoint wants to be decoded: suppressed tokens, alignment heads and limits.</summary>
    public GenerationConfig Generation { get; }

    /// <summary>Encoder positions per second: 50 in Whisper. The timestamps of the vocabulary count them, from 0.</summary>
    public double PositionsPerSecond => Features.SampleRateHz / (2.0 * Features.HopLength);

    /// <summary>Feature frames to encode so many samples with: the model's whole context, or one as short as the audio.</summary>
    /// <param name="samples">Samples at <see cref="Features"/>' rate.</param>
    /// <param name="stepSeconds">Short contexts are multiples of this, so that audio of about the same length shares a batch.</param>
    /// <param name="isShort">Whether the context is short.</param>
    public int ContextFrames(int samples, double stepSeconds, bool isShort)
    {
        var most = 2 * Model.Info.MaxSourcePositions;
        if (!isShort || !Model.Info.SupportsShortContext)
        {
            return most;
        }

        var step = Math.Max(2, 2 * (int)Math.Round(stepSeconds * PositionsPerSecond));
        var frames = (samples + LogMelExtractor.HalfWindow + Features.HopLength - 1) / Features.HopLength;
        return Math.Min(most, (frames + step - 1) / step * step);
    }

    /// <summary>The parts, where they are a Whisper checkpoint's.</summary>
    /// <param name="input">What a decoder was given.</param>
    /// <param name="algorithm">The decoder's name, for the error.</param>
    /// <exception cref="AsrException">They are another model's.</exception>
    public static WhisperDecoderInput Require(SpeechDecoderInput input, string algorithm) => input as WhisperDecoderInput
        ?? throw new AsrException($"The algorithm \"{algorithm}\" decodes Whisper checkpoints only.");
}
