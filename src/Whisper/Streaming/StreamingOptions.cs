using AsrPlatform.Whisper.Decoding.Biasing;

namespace AsrPlatform.Whisper.Streaming;

/// <summary>How windows of a stream are decoded.</summary>
public sealed record StreamingOptions
{
    /// <summary>
    /// Encodes a context as short as the audio, which only a model trained for it hears well; null (default): as the checkpoint's
    /// <c>generation_config.json</c> says with <c>"encoder_context": "dynamic"</c>.
    /// </summary>
    public bool? ShortContext { get; init; }

    /// <summary>
    /// Gives the model the text before the window; null (default): unless the checkpoint's <c>generation_config.json</c> says
    /// <c>"condition_on_previous_text": false</c>.
    /// </summary>
    public bool? ConditionOnPreviousText { get; init; }

    /// <summary>
    /// Short contexts are multiples of this, in seconds. Windows of the same context share a batch, and which ones share it changes
    /// nothing: each is padded to its own context, not to the longest of the batch.
    /// </summary>
    public double ContextStepSeconds { get; init; } = 1;

    /// <summary>With a mean log probability below <see cref="LogProbabilityThreshold"/>, above this the window counts as silence (OpenAI's 0.6).</summary>
    public double NoSpeechThreshold { get; init; } = 0.6;

    /// <summary>How strongly phrases are preferred (<see cref="StreamPass.Bias"/>), and where.</summary>
    public BiasSettings Bias { get; init; } = new();

    /// <summary>See <see cref="NoSpeechThreshold"/> (OpenAI's −1).</summary>
    public double LogProbabilityThreshold { get; init; } = -1;
}
