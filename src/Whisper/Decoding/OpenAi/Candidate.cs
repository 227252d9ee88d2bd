namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>A hypothesis for a window.</summary>
/// <param name="Tokens">Sampled tokens before the end token.</param>
/// <param name="Score">Sum of the log-probabilities of its tokens, the end's included where it was sampled.</param>
/// <param name="Gain">What the preferred phrases in it are worth; it counts beside the score.</param>
internal readonly record struct Candidate(int[] Tokens, double Score, double Gain = 0)
{
    /// <summary>The best of several: the highest score by length (OpenAI's <c>MaximumLikelihoodRanker</c>); of equal ones the first.</summary>
    /// <param name="candidates">At least one.</param>
    /// <param name="lengthPenalty">Exponent of the length normalisation of arXiv 1609.08144; null divides by the length.</param>
    public static Candidate Best(IReadOnlyList<Candidate> candidates, double? lengthPenalty)
    {
        var best = candidates[0];
        foreach (var candidate in candidates)
        {
            if (candidate.Normalised(lengthPenalty) > best.Normalised(lengthPenalty))
            {
                best = candidate;
            }
        }

        return best;
    }

    // Only rules that leave nothing but the end give an empty hypothesis; it counts as one token.
    private double Normalised(double? lengthPenalty) =>
        (Score + Gain) / (lengthPenalty is { } exponent ? Math.Pow((5 + Tokens.Length) / 6.0, exponent) : Math.Max(1, Tokens.Length));
}
