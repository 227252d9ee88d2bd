namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>What one window of audio was decoded to.</summary>
/// <param name="Tokens">Sampled tokens before the end token, timestamps included.</param>
/// <param name="AverageLogProbability">Sum of the log-probabilities, the end's included, by the number of tokens and one.</param>
/// <param name="NoSpeechProbability">Probability of the no-speech token at the start of the transcript.</param>
/// <param name="CompressionRatio">zlib ratio of the text.</param>
/// <param name="Temperature">The temperature that gave it.</param>
internal sealed record WindowResult(
    int[] Tokens, double AverageLogProbability, double NoSpeechProbability, double CompressionRatio, double Temperature)
{
    /// <summary>
    /// As <see cref="AverageLogProbability"/>, of what was heard without preferred phrases: how far the window can be trusted. A word that
    /// the model does not know is no reason to try again.
    /// </summary>
    public required double HeardLogProbability { get; init; }
}
