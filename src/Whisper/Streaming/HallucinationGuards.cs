namespace AsrPlatform.Whisper.Streaming;

/// <summary>Tells what a model made up from what was said, by what nobody can say.</summary>
public static class HallucinationGuards
{
    /// <summary>WhisperLiveKit's cap of tokens, of which its vocabulary's fastest speech has fewer.</summary>
    private const double MostTokensPerSecond = 22.5;

    private const int LeastTokens = 50;

    /// <summary>Longest stretch of tokens that is looked for as a repetition.</summary>
    private const int LongestPeriod = 16;

    /// <summary>A stretch that repeats must cover this many tokens, and come this often.</summary>
    private const int RepeatedTokens = 12;
    private const int Repetitions = 3;

    /// <summary>A single token may come this often: "no no no no".</summary>
    private const int SingleRepetitions = 8;

    /// <summary>Auctioneers stay below 400 words a minute: some 35 characters a second.</summary>
    private const double MostCharactersPerSecond = 40;

    /// <summary>Characters that any window may have besides: its first word may be cut off.</summary>
    private const int FreeCharacters = 12;

    /// <summary>A last word without length that the model itself doubts (faster-whisper counts words shorter than 0.133 s and below 0.15 as anomalies).</summary>
    private const double DoubtfulSeconds = 0.04;
    private const double DoubtfulConfidence = 0.15;

    /// <summary>Most tokens that a window can hold.</summary>
    public static int MostTokens(double seconds) => Math.Max(LeastTokens, (int)Math.Ceiling(MostTokensPerSecond * seconds));

    /// <summary>Finds a repetition at the end of a text.</summary>
    /// <param name="tokens">The text so far.</param>
    /// <returns>The tokens to keep (up to the end of the first time), and how many of these are what repeats; null for none.</returns>
    public static (int Keep, int Period)? FindRepetition(ReadOnlySpan<int> tokens)
    {
        for (var period = 1; period <= LongestPeriod; period++)
        {
            var times = 1;
            while ((times + 1) * period <= tokens.Length
                && tokens.Slice(tokens.Length - ((times + 1) * period), period).SequenceEqual(tokens[^period..]))
            {
                times++;
            }

            if (period == 1 ? times >= SingleRepetitions : times >= Repetitions && times * period >= RepeatedTokens)
            {
                return (tokens.Length - ((times - 1) * period), period);
            }
        }

        return null;
    }

    /// <summary>Takes off the end what cannot have been said: more than fits the time, and doubtful words without length.</summary>
    /// <param name="words">Words of a window in the order of time.</param>
    /// <param name="seconds">Audio that they share.</param>
    /// <returns>How many of the words stay.</returns>
    public static int Plausible(IReadOnlyList<StreamWord> words, double seconds)
    {
        ArgumentNullException.ThrowIfNull(words);
        var count = words.Count;
        while (count > 0 && words[count - 1] is { } last && last.End - last.Start < DoubtfulSeconds && last.Confidence < DoubtfulConfidence)
        {
            count--;
        }

        var characters = words.Take(count).Sum(word => word.Text.Length);
        while (count > 0 && characters > FreeCharacters + (MostCharactersPerSecond * Math.Max(seconds, 0)))
        {
            characters -= words[--count].Text.Length;
        }

        return count;
    }
}
