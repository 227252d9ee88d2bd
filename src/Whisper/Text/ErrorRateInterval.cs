namespace AsrPlatform.Whisper.Text;

/// <summary>How sure an error rate is.</summary>
/// <param name="Low">Lower end, a fraction.</param>
/// <param name="High">Upper end, a fraction.</param>
public readonly record struct ErrorRateInterval(double Low, double High)
{
    /// <summary>The probability that intervals are made for.</summary>
    public const double Level = 0.95;

    /// <summary>Resamplings by default: the ends of a 95 % interval move by about 2 % of its width from seed to seed.</summary>
    public const int DefaultResamples = 2000;

    /// <summary>
    /// Percentile bootstrap over utterances (Bisani and Ney, ICASSP 2004): a corpus's rates are computed on as many utterances drawn with
    /// replacement, again and again.
    /// </summary>
    /// <param name="utterances">The errors of each utterance; at least one.</param>
    /// <param name="seed">The same seed gives the same interval.</param>
    /// <param name="resamples">Resamplings, at least 1.</param>
    /// <returns>The intervals of the word and of the character error rate.</returns>
    public static (ErrorRateInterval Word, ErrorRateInterval Character) Bootstrap(IReadOnlyList<ErrorCounts> utterances, int seed, int resamples = DefaultResamples)
    {
        ArgumentNullException.ThrowIfNull(utterances);
        ArgumentOutOfRangeException.ThrowIfZero(utterances.Count, nameof(utterances));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(resamples);
        var random = new Random(seed);
        var word = new double[resamples];
        var character = new double[resamples];
        for (var sample = 0; sample < resamples; sample++)
        {
            long wordErrors = 0, words = 0, characterErrors = 0, characters = 0;
            for (var draw = 0; draw < utterances.Count; draw++)
            {
                var counts = utterances[random.Next(utterances.Count)];
                wordErrors += counts.WordErrors;
                words += counts.ReferenceWords;
                characterErrors += counts.CharacterErrors;
                characters += counts.ReferenceCharacters;
            }

            word[sample] = wordErrors / (double)Math.Max(words, 1);
            character[sample] = characterErrors / (double)Math.Max(characters, 1);
        }

        return (Middle(word), Middle(character));
    }

    private static ErrorRateInterval Middle(double[] rates)
    {
        Array.Sort(rates);
        const double Tail = (1 - Level) / 2;
        return new ErrorRateInterval(Quantile(rates, Tail), Quantile(rates, 1 - Tail));
    }

    /// <summary>Between the two nearest, as NumPy's default.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        var position = share * (sorted.Length - 1);
        var below = (int)position;
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((position - below) * (sorted[above] - sorted[below]));
    }
}
