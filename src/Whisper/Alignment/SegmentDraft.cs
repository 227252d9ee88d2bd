using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Alignment;

/// <summary>A segment of one window while its borders may still move; times in seconds of the audio.</summary>
internal sealed class SegmentDraft
{
    /// <summary>Start in seconds.</summary>
    public required double Start { get; set; }

    /// <summary>End in seconds.</summary>
    public required double End { get; set; }

    /// <summary>Text, with the leading space that the tokenizer gives.</summary>
    public required string Text { get; set; }

    /// <summary>Token ids, timestamps included.</summary>
    public required int[] Tokens { get; set; }

    /// <summary>Its words; null until they are asked for.</summary>
    public IReadOnlyList<TranscriptWord>? Words { get; set; }
}
