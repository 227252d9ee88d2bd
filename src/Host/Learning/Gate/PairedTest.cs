namespace AsrPlatform.Host.Learning.Gate;

/// <summary>What one utterance costs before and after: word errors, or nats that a text lacks to certainty.</summary>
/// <param name="Before">With the active version.</param>
/// <param name="After">With the candidate.</param>
/// <param name="Words">Words of the reference.</param>
internal readonly record struct PairedCost(double Before, double After, int Words);

/// <summary>What a paired comparison over utterances found. Rates are costs per word; a negative difference is a gain.</summary>
/// <param name="Utterances">Utterances compared.</param>
/// <param name="Words">Their words.</param>
/// <param name="Before">Rate with the active version.</param>
/// <param name="After">Rate with the candidate.</param>
/// <param name="Difference"><paramref name="After"/> − <paramref name="Before"/>.</param>
/// <param name="Low">Lower one-sided bound of the difference.</param>
/// <param name="High">Upper one-sided bound of the difference.</param>
/// <param name="PValue">How often chance alone would favour the candidate as much: the sign of each utterance's difference drawn anew.</param>
internal sealed record PairedComparison(int Utterances, long Words, double Before, double After, double Difference, double Low, double High, double PValue)
{
    /// <summary>The difference relative to the rate before; 0 where nothing was wrong before or after.</summary>
    public double Relative => Difference == 0 ? 0 : Difference / Math.Max(Before, 1.0 / Math.Max(Words, 1));

    /// <summary>Whether the candidate is better, as sure as <paramref name="level"/> says: by the bootstrap's bound and by the signs.</summary>
    public bool Improves(double level) => High < 0 && PValue <= 1 - level;
}

/// <summary>Compares two versions on the same utterances.</summary>
/// <remarks>
/// Two tests, and a gain has to pass both. The bootstrap draws utterances with replacement; a plain percentile bound is too narrow for ten
/// utterances, so its level is widened as Student's t is wider than the normal distribution (Hesterberg 2015), and from eight utterances on
/// the studentized bound counts where it is higher: it sees that a few utterances which lose much weigh more than many that gain a little.
/// The second test is exact
/// where differences are symmetric by chance: with few utterances that differ at all, as word errors have it, resampling alone is too easily
/// convinced (three of twelve utterances, all better, happen once in eight times).
/// </remarks>
internal static class PairedTest
{
    /// <summary>Utterances from which on a standard error can be resampled.</summary>
    private const int LeastStudentized = 8;

    /// <summary>Differences up to which all signs are tried.</summary>
    private const int MostExact = 12;

    /// <summary>Compares.</summary>
    /// <param name="costs">An item for each utterance, at least one.</param>
    /// <param name="level">Of the bounds, one-sided.</param>
    /// <param name="resamples">Resamplings.</param>
    /// <param name="seed">The same seed gives the same result.</param>
    public static PairedComparison Compare(IReadOnlyList<PairedCost> costs, double level, int resamples, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfZero(costs.Count, nameof(costs));
        var words = costs.Sum(cost => (long)cost.Words);
        var before = costs.Sum(cost => cost.Before) / Math.Max(words, 1);
        var after = costs.Sum(cost => cost.After) / Math.Max(words, 1);
        var random = new Random(seed);
        var (low, high) = Bounds(costs, level, resamples, random);
        return new PairedComparison(costs.Count, words, before, after, after - before, low, high, PValue(costs, resamples, random));
    }

    /// <summary>The level at which a percentile bound of so many utterances is to be read, to hold <paramref name="level"/>.</summary>
    internal static double Widened(double level, int utterances)
    {
        if (utterances < 2)
        {
            return 1;
        }

        var z = NormalQuantile(level);
        var degrees = utterances - 1.0;
        return NormalShare(Math.Sqrt(utterances / degrees) * StudentQuantile(z, degrees));
    }

    private static (double Low, double High) Bounds(IReadOnlyList<PairedCost> costs, double level, int resamples, Random random)
    {
        var all = Sums.Of(costs);
        var differences = new double[resamples];
        var studentized = new double[resamples];
        for (var sample = 0; sample < resamples; sample++)
        {
            var drawn = default(Sums);
            for (var draw = 0; draw < costs.Count; draw++)
            {
                drawn = drawn.With(costs[random.Next(costs.Count)]);
            }

            differences[sample] = drawn.Rate;
            studentized[sample] = drawn.Error > 0 ? (drawn.Rate - all.Rate) / drawn.Error : Math.Sign(drawn.Rate - all.Rate) * double.MaxValue;
        }

        Array.Sort(differences);
        Array.Sort(studentized);
        var share = Widened(level, costs.Count);
        var high = Quantile(differences, share);
        return (Quantile(differences, 1 - share), costs.Count < LeastStudentized ? high : Math.Max(high, all.Rate - (Quantile(studentized, 1 - level) * all.Error)));
    }

    /// <summary>Not between two values, but the outer one: a bound must not be more daring than what was drawn.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        var position = share * (sorted.Length - 1);
        return sorted[(int)(share < 0.5 ? Math.Floor(position) : Math.Ceiling(position))];
    }

    private static double PValue(IReadOnlyList<PairedCost> costs, int resamples, Random random)
    {
        double[] differences = [.. costs.Select(cost => cost.After - cost.Before).Where(difference => difference != 0)];
        var sum = differences.Sum();

        // Sums of the same numbers in another order differ in their last digits.
        var reached = sum + (1e-9 * differences.Sum(Math.Abs));
        var count = 0;
        if (differences.Length <= MostExact)
        {
            for (var signs = 0; signs < 1 << differences.Length; signs++)
            {
                count += Signed(differences, signs) <= reached ? 1 : 0;
            }

            return count / (double)(1 << differences.Length);
        }

        for (var sample = 0; sample < resamples; sample++)
        {
            var drawn = 0.0;
            foreach (var difference in differences)
            {
                drawn += random.Next(2) == 0 ? difference : -difference;
            }

            count += drawn <= reached ? 1 : 0;
        }

        return (count + 1.0) / (resamples + 1.0);
    }

    private static double Signed(double[] differences, int signs)
    {
        var sum = 0.0;
        for (var i = 0; i < differences.Length; i++)
        {
            sum += (signs >> i & 1) == 0 ? differences[i] : -differences[i];
        }

        return sum;
    }

    /// <summary>Share of the standard normal distribution below a value.</summary>
    internal static double NormalShare(double x)
    {
        if (Math.Abs(x) > 8)
        {
            return x > 0 ? 1 : 0;
        }

        // ½ + φ(x)·(x + x³/3 + x⁵/(3·5) + …)
        var term = x;
        var sum = x;
        for (var n = 3; Math.Abs(term) > 1e-17 * Math.Abs(sum); n += 2)
        {
            term *= x * x / n;
            sum += term;
        }

        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }

    /// <summary>The value below which a share of the standard normal distribution lies.</summary>
    internal static double NormalQuantile(double share)
    {
        var (low, high) = (-8.0, 8.0);
        for (var i = 0; i < 60; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = NormalShare(middle) < share ? (middle, high) : (low, middle);
        }

        return (low + high) / 2;
    }

    /// <summary>Student's quantile from the normal one (Cornish and Fisher's expansion): within 0.3 % from 4 degrees of freedom on.</summary>
    internal static double StudentQuantile(double z, double degrees)
    {
        var square = z * z;
        return z * (1
            + ((square + 1) / (4 * degrees))
            + (((((5 * square) + 16) * square) + 3) / (96 * degrees * degrees))
            + (((((((3 * square) + 19) * square) + 17) * square) - 15) / (384 * degrees * degrees * degrees)));
    }

    /// <summary>Sums over utterances, from which a rate of differences per word and its standard error follow.</summary>
    private readonly record struct Sums(int Count, double Differences, double Words, double Squares, double Products, double WordSquares)
    {
        public double Rate => Differences / Math.Max(Words, 1);

        /// <summary>Of a ratio of sums, by the utterances' distances from it.</summary>
        public double Error
        {
            get
            {
                var distances = Squares - (2 * Rate * Products) + (Rate * Rate * WordSquares);

                // What is left of equal numbers by rounding is none.
                return distances <= 1e-12 * (Squares + WordSquares) ? 0 : Math.Sqrt(distances * Count / Math.Max(Count - 1.0, 1)) / Math.Max(Words, 1);
            }
        }

        public static Sums Of(IEnumerable<PairedCost> costs) => costs.Aggregate(default(Sums), (sums, cost) => sums.With(cost));

        public Sums With(PairedCost cost)
        {
            var difference = cost.After - cost.Before;
            return new Sums(
                Count + 1,
                Differences + difference,
                Words + cost.Words,
                Squares + (difference * difference),
                Products + (difference * cost.Words),
                WordSquares + ((double)cost.Words * cost.Words));
        }
    }
}
