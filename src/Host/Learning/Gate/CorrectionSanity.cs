using System.Globalization;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>Looks at a set of corrections without a model: are they of the captions that they correct?</summary>
/// <remarks>
/// A set whose texts were shuffled, or that says the same everywhere, teaches a model nonsense, and its held-out part is nonsense of the same
/// kind: a candidate can become better on it. So the set is looked at before anything is trained.
/// </remarks>
internal static class CorrectionSanity
{
    private const int LeastForFrequency = 4;
    private const double MostOfOneText = 0.4;
    private const int LeastForSimilarity = 6;
    private const double SurelyTheirOwn = 0.05;
    private const int Deals = 999;

    /// <summary>Checks.</summary>
    /// <param name="corrections">Rows with texts, and hypotheses where they are known.</param>
    /// <param name="seed">The same seed gives the same numbers.</param>
    /// <returns>What was measured, and why the set is not to be trained on; null when nothing speaks against it.</returns>
    public static (CorrectionMetrics Metrics, string? Objection) Check(IReadOnlyList<ManifestEntry> corrections, int seed)
    {
        var spoken = corrections.Where(row => !row.IsSilence).ToArray();
        var metrics = new CorrectionMetrics { Corrections = spoken.Length };
        if (spoken.Length == 0)
        {
            return (metrics, null);
        }

        var (text, count) = spoken.GroupBy(row => Plain(row.Text)).Select(group => (group.Key, group.Count())).MaxBy(pair => pair.Item2);
        metrics = metrics with { MostFrequent = count };
        if (count >= LeastForFrequency && count > MostOfOneText * spoken.Length)
        {
            return (metrics, $"{count} of {spoken.Length} corrections have the same text (\"{Short(text)}\"): a model that learns it says it everywhere");
        }

        var pairs = spoken.Where(row => row.Hypothesis is { Length: > 0 })
            .Select(row => (Hypothesis: Pairs(row.Hypothesis!), Text: Pairs(row.Text)))
            .Where(pair => pair.Hypothesis.Count > 0 && pair.Text.Count > 0)
            .ToArray();
        if (pairs.Length < LeastForSimilarity)
        {
            return (metrics, null);
        }

        var (own, others, p) = Compare(pairs, seed);
        metrics = metrics with { Similarity = own, SimilarityOfOthers = others, SimilarityPValue = p };
        return (metrics, p <= SurelyTheirOwn ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"the corrected texts are no more like the captions that they correct ({own:0.00} alike) than like other ones ({others:0.00}): they seem to be of other captions, or of another language"));
    }

    /// <summary>A permutation test: the texts dealt out to the hypotheses at random.</summary>
    private static (double Own, double Others, double PValue) Compare((Dictionary<(int, int), int> Hypothesis, Dictionary<(int, int), int> Text)[] pairs, int seed)
    {
        var count = pairs.Length;
        var alike = new double[count, count];
        double own = 0, others = 0;
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++)
            {
                alike[i, j] = Cosine(pairs[i].Hypothesis, pairs[j].Text);
                (own, others) = i == j ? (own + alike[i, j], others) : (own, others + alike[i, j]);
            }
        }

        var random = new Random(seed);
        int[] order = [.. Enumerable.Range(0, count)];
        var reached = 0;
        for (var deal = 0; deal < Deals; deal++)
        {
            random.Shuffle(order);
            var sum = 0.0;
            for (var i = 0; i < count; i++)
            {
                sum += alike[i, order[i]];
            }

            reached += sum >= own - 1e-9 ? 1 : 0;
        }

        return (own / count, others / (count * (count - 1.0)), (reached + 1.0) / (Deals + 1.0));
    }

    /// <summary>Pairs of neighbouring letters: a misheard word shares some with the right one, and the length of a text does not count.</summary>
    private static Dictionary<(int First, int Second), int> Pairs(string text)
    {
        var pairs = new Dictionary<(int, int), int>();
        var last = ' ';
        foreach (var letter in Plain(text))
        {
            if (letter != ' ' && last != ' ')
            {
                pairs[(last, letter)] = pairs.GetValueOrDefault((last, letter)) + 1;
            }

            last = letter;
        }

        return pairs;
    }

    private static double Cosine(Dictionary<(int, int), int> first, Dictionary<(int, int), int> second)
    {
        var product = first.Sum(pair => (double)pair.Value * second.GetValueOrDefault(pair.Key));
        return product / Math.Sqrt(first.Values.Sum(count => (double)count * count) * second.Values.Sum(count => (double)count * count));
    }

    /// <summary>Letters and digits in lower case, and spaces.</summary>
    internal static string Plain(string text) =>
        string.Join(' ', new string([.. text.ToLowerInvariant().Select(letter => char.IsLetterOrDigit(letter) ? letter : ' ')]).Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static string Short(string text) => text.Length > 40 ? text[..40] + "…" : text;
}
