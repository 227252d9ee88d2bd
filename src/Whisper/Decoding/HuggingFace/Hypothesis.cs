namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>A sequence that a search has found.</summary>
/// <param name="Tokens">Generated tokens, the end token among them where the search reached it.</param>
/// <param name="LogProbabilities">
/// Log-probability of each token among those that the rules allowed at its step, at temperature 1.
/// </param>
/// <param name="Score">Beam search: sum of the model's log-probabilities over the length to the power of the penalty. Null else.</param>
internal sealed record Hypothesis(int[] Tokens, float[] LogProbabilities, float? Score)
{
    /// <summary>Mean of <see cref="LogProbabilities"/>, the end token counted, as transformers compares with its threshold.</summary>
    public double AverageLogProbability => LogProbabilities.Length == 0 ? 0 : LogProbability / LogProbabilities.Length;

    /// <summary>Sum of <see cref="LogProbabilities"/>.</summary>
    public double LogProbability
    {
        get
        {
            var sum = 0.0;
            foreach (var value in LogProbabilities)
            {
                sum += value;
            }

            return sum;
        }
    }
}
