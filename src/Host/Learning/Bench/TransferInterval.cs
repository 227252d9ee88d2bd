using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>Where a figure of the bench lies with 95 % certainty, as far as chance in the choice of what was evaluated goes.</summary>
/// <param name="Low">Lower bound.</param>
/// <param name="High">Upper bound.</param>
internal sealed record TransferInterval(double Low, double High)
{
    private const double Level = 0.975;
    private const int Resamples = 2000;
    private const int Seed = 1;

    /// <summary>Whether 0 is outside: there is more to the figure than chance.</summary>
    public bool IsSure => Low > 0 || High < 0;

    /// <summary>
    /// Draws each list's clusters with replacement. Clusters and not utterances: whether a new word is known or not shows in every utterance
    /// that has it, so that forty utterances of ten words say little more than ten.
    /// </summary>
    /// <param name="lists">What is drawn from, each by itself: clusters with their costs before and after. None may be empty.</param>
    /// <param name="figure">Makes the figure of each list's sums, in their order.</param>
    /// <returns>The same for the same lists; null without any.</returns>
    public static TransferInterval? Of(IReadOnlyList<IReadOnlyList<PairedCost>> lists, Func<IReadOnlyList<PairedCost>, double> figure)
    {
        if (lists.Count == 0)
        {
            return null;
        }

        var random = new Random(Seed);
        var figures = new double[Resamples];
        var sums = new PairedCost[lists.Count];
        for (var resample = 0; resample < Resamples; resample++)
        {
            for (var list = 0; list < sums.Length; list++)
            {
                var clusters = lists[list];
                var (before, after, words) = (0.0, 0.0, 0);
                for (var draw = 0; draw < clusters.Count; draw++)
                {
                    var cluster = clusters[random.Next(clusters.Count)];
                    (before, after, words) = (before + cluster.Before, after + cluster.After, words + cluster.Words);
                }

                sums[list] = new PairedCost(before, after, words);
            }

            figures[resample] = figure(sums);
        }

        Array.Sort(figures);
        var level = PairedTest.Widened(Level, lists.Sum(list => list.Count));
        return new TransferInterval(At(1 - level), At(level));

        double At(double share) => figures[Math.Clamp((int)Math.Round(share * (Resamples - 1)), 0, Resamples - 1)];
    }
}
