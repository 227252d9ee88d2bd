using System.Text.Json.Serialization;

namespace AsrPlatform.Abstractions.Captions;

/// <summary>How final a caption is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CaptionState>))]
public enum CaptionState
{
    /// <summary>May still change.</summary>
    [JsonStringEnumMemberName("tentative")]
    Tentative,

    /// <summary>Changes only by a human correction.</summary>
    [JsonStringEnumMemberName("committed")]
    Committed,

    /// <summary>Corrected by a person.</summary>
    [JsonStringEnumMemberName("corrected")]
    Corrected,
}

/// <summary>The newest state of one caption segment; it replaces every earlier update of that segment.</summary>
public sealed record CaptionUpdate
{
    /// <summary>The session it belongs to.</summary>
    public required string SessionId { get; init; }

    /// <summary>The segment, numbered from 1 in the session.</summary>
    public required long SegmentId { get; init; }

    /// <summary>Position of this update in the session's stream of updates, from 1, without gaps; what a viewer resumes from.</summary>
    public required long Sequence { get; init; }

    /// <summary>Revision of the segment, from 1.</summary>
    public required int Revision { get; init; }

    /// <summary>How final it is.</summary>
    public required CaptionState State { get; init; }

    /// <summary>The text.</summary>
    public required string Text { get; init; }

    /// <summary>Its words, where the recogniser gives them.</summary>
    public IReadOnlyList<CaptionWord> Words { get; init; } = [];

    /// <summary>Language code, or null when it is not known.</summary>
    public string? Language { get; init; }

    /// <summary>The adapter version that made it; <c>base</c> without an adapter.</summary>
    public string AdapterVersion { get; init; } = "base";

    /// <summary>First sample of the segment in the session's audio, at the session's sample rate.</summary>
    public required long StartSample { get; init; }

    /// <summary>Sample after the last one of the segment.</summary>
    public required long EndSample { get; init; }
}

/// <summary>A word of a caption.</summary>
/// <param name="Text">The word, without surrounding spaces.</param>
/// <param name="Start">Start in seconds of the session.</param>
/// <param name="End">End in seconds of the session.</param>
/// <param name="Confidence">0…1: how likely it is that the word is right, as far as that is known.</param>
public sealed record CaptionWord(string Text, double Start, double End, double Confidence)
{
    /// <summary>The model's own probability of the word, where <see cref="Confidence"/> is calibrated; null where it is the same.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? ModelConfidence { get; init; }
}
