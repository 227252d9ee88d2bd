using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>A word that was captioned, and whether it was right.</summary>
/// <param name="Confidence">The model's probability, 0…1.</param>
/// <param name="IsRight">Whether it stood when the caption was corrected.</param>
/// <param name="Caption">Which caption it is from: words of one are right or wrong together.</param>
internal readonly record struct ConfidenceSample(double Confidence, bool IsRight, long Caption);

/// <summary>Fits a calibration. Pure; safe for concurrent calls.</summary>
internal static class ConfidenceFit
{
    /// <summary>Words below which a curve says more about chance than about the model.</summary>
    public const int MinimumWords = 50;

    private const int Folds = 5;
    private const int Bins = 10;

    /// <summary>Words that a point of a curve stands for at least.</summary>
    private const int WordsOfPoint = 10;

    /// <summary>Fits temperature and isotonic regression and keeps what has the lowest log loss on captions that it was not fitted on.</summary>
    /// <param name="samples">Words; those of one caption never stand on both sides of a fit.</param>
    /// <param name="adapterVersion">What made them.</param>
    /// <param name="fittedAt">Now.</param>
    /// <exception cref="AsrException">There are too few words.</exception>
    public static ConfidenceMap Fit(IReadOnlyList<ConfidenceSample> samples, string adapterVersion, DateTimeOffset fittedAt)
    {
        if (samples.Count < MinimumWords)
        {
            throw new AsrException($"confidences of {adapterVersion} cannot be calibrated: corrected captions have {samples.Count} words, {MinimumWords} are needed");
        }

        // The order of captions must not matter, nor their numbers.
        var captions = samples.Select(sample => sample.Caption).Distinct().Order().ToArray();
        new Random(1).Shuffle(captions);
        var foldOf = captions.Index().ToDictionary(pair => pair.Item, pair => pair.Index % Folds);
        var before = Quality([.. samples.Select(sample => (sample.Confidence, sample.IsRight))]);
        var best = Base(CalibrationMethod.None) with { After = before };
        foreach (var method in captions.Length < 2 ? [] : new[] { CalibrationMethod.Temperature, CalibrationMethod.Isotonic })
        {
            var unseen = new List<(double Confidence, bool IsRight)>(samples.Count);
            for (var fold = 0; fold < Math.Min(Folds, captions.Length); fold++)
            {
                var map = Learn(method, [.. samples.Where(sample => foldOf[sample.Caption] != fold)]);
                unseen.AddRange(samples.Where(sample => foldOf[sample.Caption] == fold).Select(sample => (map.Apply(sample.Confidence), sample.IsRight)));
            }

            var quality = Quality(unseen);
            if (quality.LogLoss < best.After.LogLoss)
            {
                best = Learn(method, samples) with { After = quality };
            }
        }

        return best;

        ConfidenceMap Base(CalibrationMethod method) => new()
        {
            AdapterVersion = adapterVersion,
            Method = method,
            Words = samples.Count,
            Right = samples.Count(sample => sample.IsRight),
            Captions = captions.Length,
            Before = before,
            After = default,
            FittedAt = fittedAt,
        };

        ConfidenceMap Learn(CalibrationMethod method, IReadOnlyList<ConfidenceSample> words) => method == CalibrationMethod.Temperature
            ? Base(method) with { Temperature = FindTemperature(words) }
            : Base(method) with { Points = Isotonic(words) };
    }

    /// <summary>Expected calibration error and log loss of confidences.</summary>
    public static ConfidenceQuality Quality(IReadOnlyList<(double Confidence, bool IsRight)> words)
    {
        var bins = new (int Count, double Confidence, int Right)[Bins];
        var loss = 0.0;
        foreach (var (confidence, isRight) in words)
        {
            var p = Math.Clamp(confidence, ConfidenceMap.Extreme, 1 - ConfidenceMap.Extreme);
            loss -= Math.Log(isRight ? p : 1 - p);
            ref var bin = ref bins[Math.Min(Bins - 1, (int)(Math.Clamp(confidence, 0, 1) * Bins))];
            bin = (bin.Count + 1, bin.Confidence + confidence, bin.Right + (isRight ? 1 : 0));
        }

        return new ConfidenceQuality(bins.Sum(bin => Math.Abs(bin.Confidence - bin.Right)) / Math.Max(1, words.Count), loss / Math.Max(1, words.Count));
    }

    /// <summary>The number that log odds are divided by, by golden section: the log loss has one minimum in its reciprocal.</summary>
    private static double FindTemperature(IReadOnlyList<ConfidenceSample> words)
    {
        var odds = words.Select(word => (Odds: ConfidenceMap.LogOdds(word.Confidence), word.IsRight)).ToArray();
        double Loss(double slope) => odds.Sum(word => Math.Log(1 + Math.Exp(word.IsRight ? -slope * word.Odds : slope * word.Odds)));
        var (low, high) = (0.02, 20.0);
        var ratio = (Math.Sqrt(5) - 1) / 2;
        for (var i = 0; i < 60; i++)
        {
            var (first, second) = (high - (ratio * (high - low)), low + (ratio * (high - low)));
            (low, high) = Loss(first) < Loss(second) ? (low, second) : (first, high);
        }

        return 2 / (low + high);
    }

    /// <summary>The rising steps that fit best, a point for each at the mean confidence of its words.</summary>
    private static List<ConfidencePoint> Isotonic(IReadOnlyList<ConfidenceSample> words)
    {
        var blocks = new List<(double Confidence, double Right, int Count)>();
        foreach (var chunk in words.OrderBy(word => word.Confidence).Chunk(WordsOfPoint))
        {
            blocks.Add((chunk.Sum(word => word.Confidence), chunk.Count(word => word.IsRight), chunk.Length));
            while (blocks.Count > 1 && Share(blocks[^2]) >= Share(blocks[^1]))
            {
                var (above, below) = (blocks[^1], blocks[^2]);
                blocks.RemoveRange(blocks.Count - 2, 2);
                blocks.Add((below.Confidence + above.Confidence, below.Right + above.Right, below.Count + above.Count));
            }
        }

        var points = new List<ConfidencePoint>();
        foreach (var (confidence, right, count) in blocks)
        {
            // Half a word more of each kind: no bin of ten is certain.
            var point = new ConfidencePoint(confidence / count, (right + 0.5) / (count + 1.0));
            if (points.Count == 0 || (point.Model > points[^1].Model && point.Right >= points[^1].Right))
            {
                points.Add(point);
            }
        }

        return points;
    }

    private static double Share((double Confidence, double Right, int Count) block) => block.Right / block.Count;
}
