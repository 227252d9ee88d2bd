using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>What becomes of a candidate.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GateVerdict>))]
internal enum GateVerdict
{
    /// <summary>It is better on utterances that it has not seen, and harms nothing.</summary>
    [JsonStringEnumMemberName("promoted")]
    Promoted,

    /// <summary>There are too few corrections to hold out, and what they tell speaks for it: it is to be watched.</summary>
    [JsonStringEnumMemberName("provisional")]
    Provisional,

    /// <summary>It stays out.</summary>
    [JsonStringEnumMemberName("rejected")]
    Rejected,
}

/// <summary>A decision and all that it rests on.</summary>
/// <param name="Verdict">What becomes of the candidate.</param>
/// <param name="Reason">Why, a sentence for people.</param>
/// <param name="Metrics">Every number.</param>
internal sealed record GateDecision(GateVerdict Verdict, string Reason, GateMetrics Metrics)
{
    /// <summary>Whether it is rejected for what it does to other speech, so that less of it might do.</summary>
    public bool IsHarm { get; init; }

    /// <summary>How decisions are written: camelCase, without what was not measured.</summary>
    public static JsonSerializerOptions JsonForm { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}

/// <summary>What a gate measured; null for what it did not need to.</summary>
internal sealed record GateMetrics
{
    /// <summary>Word error rate on corrections that were not trained on, active version: held out, or left out in a cross-validation.</summary>
    public double? HeldOutWerBefore => HeldOut?.Before;

    /// <summary>As <see cref="HeldOutWerBefore"/>: the candidate, or the cross-validation's adapters.</summary>
    public double? HeldOutWerAfter => HeldOut?.After;

    /// <summary>Word error rate on the anchor set, active version.</summary>
    public double? AnchorWerBefore => Anchor?.Before;

    /// <summary>As <see cref="AnchorWerBefore"/>, candidate.</summary>
    public double? AnchorWerAfter => Anchor?.After;

    /// <summary><c>heldOut</c> or <c>crossValidation</c>: what <see cref="HeldOut"/> is about; null where neither was reached.</summary>
    public string? Evidence { get; init; }

    /// <summary>Word errors of corrections that were not trained on.</summary>
    public PairedComparison? HeldOut { get; init; }

    /// <summary>Nats per word that corrected texts which were not trained on lack to certainty, given their audio: those left out in a cross-validation, or those held out, where their word errors speak for the candidate.</summary>
    public PairedComparison? Likelihood { get; init; }

    /// <summary>Cross-validation: nats per word by which the old hypotheses are likelier than the corrected texts; may be below 0.</summary>
    public PairedComparison? Margin { get; init; }

    /// <summary>Trainings of the cross-validation.</summary>
    public int? Folds { get; init; }

    /// <summary>Word errors on the anchor set, silent clips aside. Bounds are at <see cref="GateSettings.HarmLevel"/>.</summary>
    public PairedComparison? Anchor { get; init; }

    /// <summary>As <see cref="Anchor"/>, against the base model; null where that is the active version.</summary>
    public PairedComparison? AnchorAgainstBase { get; init; }

    /// <summary>Words heard in the anchor's silent clips.</summary>
    public SilenceMetrics? Silence { get; init; }

    /// <summary>Word errors by speaker and by domain, of held-out corrections and the anchor set together.</summary>
    public IReadOnlyList<SliceMetrics>? Slices { get; init; }

    /// <summary>How far the corrections belong to their audio.</summary>
    public CorrectionMetrics? Corrections { get; init; }

    /// <summary>Share of what was trained in what was judged, where all of it did harm: 0…1, both excluded; the rest is what it went on from. Null: all of it.</summary>
    public double? Share { get; init; }

    /// <summary>Rows of manifests that could not be used, a sentence each, at most ten.</summary>
    public IReadOnlyList<string>? LeftOut { get; init; }

    /// <summary>The settings that decided.</summary>
    public GateSettings? Settings { get; init; }

    /// <summary>Time that the gate took.</summary>
    public double Seconds { get; init; }
}

/// <summary>What was heard in silence.</summary>
/// <param name="Clips">Silent clips.</param>
/// <param name="ClipsBefore">Those in which the active version hears words.</param>
/// <param name="ClipsAfter">Those in which the candidate does.</param>
/// <param name="WordsBefore">Words that the active version hears.</param>
/// <param name="WordsAfter">Words that the candidate hears.</param>
internal sealed record SilenceMetrics(int Clips, int ClipsBefore, int ClipsAfter, int WordsBefore, int WordsAfter);

/// <summary>A part of the utterances.</summary>
/// <param name="Kind"><c>speaker</c> or <c>domain</c>.</param>
/// <param name="Name">Whose, or which.</param>
/// <param name="Errors">Word errors. Bounds are at <see cref="GateSettings.HarmLevel"/>, shared out over the slices.</param>
internal sealed record SliceMetrics(string Kind, string Name, PairedComparison Errors);

/// <summary>What a set of corrections looks like before anything is learned from it.</summary>
internal sealed record CorrectionMetrics
{
    /// <summary>Corrections with a text.</summary>
    public required int Corrections { get; init; }

    /// <summary>How many have the most frequent text.</summary>
    public int MostFrequent { get; init; }

    /// <summary>How alike hypothesis and text of a correction are on average, 0…1; null without hypotheses.</summary>
    public double? Similarity { get; init; }

    /// <summary>How alike the hypotheses are to other corrections' texts.</summary>
    public double? SimilarityOfOthers { get; init; }

    /// <summary>How often texts dealt out at random are as alike.</summary>
    public double? SimilarityPValue { get; init; }

    /// <summary>Nats per word that texts lack to certainty: before is given other corrections' audio, after given their own.</summary>
    public PairedComparison? Information { get; init; }
}
