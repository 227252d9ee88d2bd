namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>How strongly phrases are preferred, and where. The defaults are measured: docs/learning-memory.md.</summary>
public sealed record BiasSettings
{
    /// <summary>What a matched token is worth at a phrase's weight of 1, in nats.</summary>
    public double NatsPerToken { get; init; } = 2;

    /// <summary>
    /// Phonetic gate: a phrase is tried only where the unbiased text differs from it by at most this share of its sounds; 1: hardly any gate.
    /// </summary>
    public double SoundDistance { get; init; } = 0.5;

    /// <summary>Acoustic gate: a token of a phrase must be at most this much less likely than the best token of its step, in nats.</summary>
    public double TokenNats { get; init; } = 12;

    /// <summary>Phrases that are tried alone, the nearest ones, besides all together, where a text sounds like several.</summary>
    public int Alternatives { get; init; } = 4;

    /// <summary>Longest phrase, in tokens; longer ones are left out.</summary>
    public int MaximumTokens { get; init; } = 32;
}
