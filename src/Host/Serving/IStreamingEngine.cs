using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>What a recogniser can do for streams.</summary>
/// <param name="NewPolicy">Makes the policy of a new stream.</param>
/// <param name="MaximumSeconds">Longest window.</param>
/// <param name="MaximumForced">Most tokens that a pass can be forced to begin with.</param>
internal sealed record StreamingProfile(Func<IStreamingPolicy> NewPolicy, double MaximumSeconds, int MaximumForced)
{
    /// <summary>Throws an <see cref="Abstractions.AsrException"/> that says why a prompt cannot be used; null where any can. Safe for concurrent calls.</summary>
    public Action<string>? RequirePrompt { get; init; }
}

/// <summary>Decodes windows of streams on the recogniser's thread.</summary>
/// <remarks>Belongs to that thread, but for <see cref="Profile"/>.</remarks>
internal interface IStreamingEngine
{
    /// <summary>What it can do. Immutable.</summary>
    StreamingProfile Profile { get; }

    /// <summary>Most windows that one call decodes faster together than apart.</summary>
    int MaximumBatch { get; }

    /// <summary>Whether <see cref="Decode"/> may be called in the middle of a transcription, from its progress.</summary>
    bool CanInterleave { get; }

    /// <summary>Windows for which this is equal are decoded together.</summary>
    int ShapeOf(int samples);

    /// <summary>Decodes windows; what each hears does not depend on the others.</summary>
    IReadOnlyList<StreamHypothesis> Decode(IReadOnlyList<StreamPass> passes, CancellationToken cancellationToken);
}
