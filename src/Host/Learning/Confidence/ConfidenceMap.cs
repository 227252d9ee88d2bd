using System.Text.Json.Serialization;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>How a model's probability of a word becomes the chance that the word is right.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CalibrationMethod>))]
internal enum CalibrationMethod
{
    /// <summary>As it is: nothing was better.</summary>
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>The log odds divided by a number.</summary>
    [JsonStringEnumMemberName("temperature")]
    Temperature,

    /// <summary>A rising curve of straight lines (pool adjacent violators).</summary>
    [JsonStringEnumMemberName("isotonic")]
    Isotonic,
}

/// <summary>A point of an isotonic curve.</summary>
/// <param name="Model">The model's probability, 0…1.</param>
/// <param name="Right">The share of words that are right there, 0…1.</param>
internal readonly record struct ConfidencePoint(double Model, double Right);

/// <summary>How good confidences are.</summary>
/// <param name="CalibrationError">Expected calibration error: how far, in ten bins of the confidence, its mean lies from the share of right words, on average over the words, 0…1.</param>
/// <param name="LogLoss">Nats per word.</param>
internal readonly record struct ConfidenceQuality(double CalibrationError, double LogLoss);

/// <summary>Calibrates the word confidences of one adapter version. Immutable; stored as JSON.</summary>
internal sealed record ConfidenceMap
{
    /// <summary>Nothing is surer than this, nor than its opposite.</summary>
    public const double Extreme = 0.001;

    /// <summary>The version whose words it was fitted on.</summary>
    public required string AdapterVersion { get; init; }

    /// <summary>What it does.</summary>
    public required CalibrationMethod Method { get; init; }

    /// <summary>What log odds are divided by, above 0; for <see cref="CalibrationMethod.Temperature"/>.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>Rising in both coordinates; for <see cref="CalibrationMethod.Isotonic"/>.</summary>
    public IReadOnlyList<ConfidencePoint> Points { get; init; } = [];

    /// <summary>Words that it was fitted on.</summary>
    public required int Words { get; init; }

    /// <summary>How many of them were right.</summary>
    public required int Right { get; init; }

    /// <summary>Captions that they are from.</summary>
    public required int Captions { get; init; }

    /// <summary>Of the model's own probabilities.</summary>
    public required ConfidenceQuality Before { get; init; }

    /// <summary>Of the calibrated ones, on captions that the fit had not seen (cross-validation).</summary>
    public required ConfidenceQuality After { get; init; }

    /// <summary>When it was fitted.</summary>
    public required DateTimeOffset FittedAt { get; init; }

    /// <summary>The chance that a word is right.</summary>
    /// <param name="confidence">The model's probability, 0…1.</param>
    public double Apply(double confidence) => Method switch
    {
        CalibrationMethod.Temperature => Sigmoid(LogOdds(confidence) / Temperature),
        CalibrationMethod.Isotonic => Interpolate(confidence),
        _ => confidence,
    };

    internal static double LogOdds(double confidence)
    {
        var p = Math.Clamp(confidence, Extreme, 1 - Extreme);
        return Math.Log(p / (1 - p));
    }

    internal static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    private double Interpolate(double confidence)
    {
        if (Points.Count == 0)
        {
            return confidence;
        }

        var above = 0;
        while (above < Points.Count && Points[above].Model < confidence)
        {
            above++;
        }

        if (above == 0 || above == Points.Count)
        {
            return Points[Math.Min(above, Points.Count - 1)].Right;
        }

        var (low, high) = (Points[above - 1], Points[above]);
        return low.Right + ((high.Right - low.Right) * (confidence - low.Model) / (high.Model - low.Model));
    }
}
