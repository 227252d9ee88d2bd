namespace AsrPlatform.Whisper.Alignment;

/// <summary>A word and when the decoder's attention says that it was spoken.</summary>
public sealed class WordTiming
{
    /// <summary>Text, with its leading space; empty once it was merged into a neighbour.</summary>
    public required string Word { get; set; }

    /// <summary>Number of tokens that spell it.</summary>
    public required int TokenCount { get; set; }

    /// <summary>Start in seconds from the start of the window.</summary>
    public required double Start { get; set; }

    /// <summary>End in seconds from the start of the window.</summary>
    public required double End { get; set; }

    /// <summary>Mean probability of its tokens, 0…1.</summary>
    public required double Probability { get; init; }

    /// <summary>Length in seconds.</summary>
    public double Duration => End - Start;
}
