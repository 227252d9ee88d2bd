using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>How streams are recognised.</summary>
internal sealed record StreamingSettings
{
    /// <summary>Names that <see cref="Policy"/> can be.</summary>
    public static readonly string[] Policies = ["auto", "alignatt", "localagreement", "utterance"];

    /// <summary>
    /// Which words are final, and when. <c>auto</c>: AlignAtt where the model's alignment heads are known, else LocalAgreement-2; for a
    /// recogniser that is no Seq2Seq model, whole utterances.
    /// </summary>
    public string Policy { get; init; } = "auto";

    /// <summary>See <see cref="AlignAttPolicy"/>.</summary>
    public TimeSpan HoldBack { get; init; } = TimeSpan.FromSeconds(AlignAttPolicy.DefaultHoldBackSeconds);

    /// <summary>See <see cref="EarlyCommit.Confidence"/>; null: no word is final earlier than others.</summary>
    public double? EarlyCommitConfidence { get; init; }

    /// <summary>See <see cref="EarlyCommit.HoldBackSeconds"/>.</summary>
    public TimeSpan EarlyCommitHoldBack { get; init; } = TimeSpan.FromSeconds(0.4);

    /// <summary>See <see cref="EarlyCommit.Calibrate"/>; as it is, until something is known.</summary>
    public Func<double, string, double> Calibrate { get; init; } = static (confidence, _) => confidence;

    /// <summary>How windows are decoded.</summary>
    public StreamingOptions Decoding { get; init; } = new();

    /// <summary>Most windows decoded together.</summary>
    public int MaximumBatch { get; init; } = 16;

    /// <summary>The policy for a recogniser.</summary>
    /// <param name="hasAttention">Whether it is known which of its heads follow the audio.</param>
    /// <param name="givesAttention">Whether it gives attention at all.</param>
    /// <param name="isSeq2Seq">Whether it gives words at all times.</param>
    /// <exception cref="AsrException">The policy asked for cannot be had.</exception>
    public Func<IStreamingPolicy> NewPolicy(bool isSeq2Seq, bool hasAttention, bool givesAttention) => Policy switch
    {
        "auto" when !isSeq2Seq => static () => new UtterancePolicy(),
        "auto" when !hasAttention => static () => new LocalAgreementPolicy(),
        "auto" => NewAlignAtt,
        "alignatt" when isSeq2Seq && !givesAttention => throw new AsrException(
            "Live:Policy is alignatt, which needs the decoder's attention, and this model gives none on this backend: use auto or localagreement"),
        "alignatt" when isSeq2Seq => NewAlignAtt,
        "alignatt" => throw new AsrException("Live:Policy is alignatt, which needs a Seq2Seq model: use auto, localagreement or utterance"),
        "localagreement" => static () => new LocalAgreementPolicy(),
        "utterance" => static () => new UtterancePolicy(),
        _ => throw new AsrException($"Live:Policy is '{Policy}': use {string.Join(", ", Policies)}"),
    };

    private AlignAttPolicy NewAlignAtt() => new(
        HoldBack.TotalSeconds,
        EarlyCommitConfidence is { } confidence ? new EarlyCommit(confidence, EarlyCommitHoldBack.TotalSeconds, Calibrate) : null);
}
