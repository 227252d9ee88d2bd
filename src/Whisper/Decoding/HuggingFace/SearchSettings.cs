namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>When beam search stops looking for better sequences: transformers' <c>early_stopping</c>.</summary>
public enum EarlyStopping
{
    /// <summary>Once no open beam of the present length looks better than the worst finished one (<c>False</c>, the default).</summary>
    Heuristic,

    /// <summary>As soon as as many sequences as beams are finished (<c>True</c>).</summary>
    WhenFull,

    /// <summary>Only when no open beam can become better at any length (<c>"never"</c>).</summary>
    Never,
}

/// <summary>How to search.</summary>
internal sealed record SearchSettings
{
    /// <summary>Most tokens to generate, at least 1; the end token counts.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>Token that ends a sequence.</summary>
    public required int EndToken { get; init; }

    /// <summary>Beams; 1 is greedy search or sampling.</summary>
    public int Beams { get; init; } = 1;

    /// <summary>Sequences to return of each beam search, best first; at most <see cref="Beams"/>.</summary>
    public int ReturnedSequences { get; init; } = 1;

    /// <summary>Exponent of the length that a beam's score is divided by.</summary>
    public double LengthPenalty { get; init; } = 1.0;

    /// <summary>When beam search stops.</summary>
    public EarlyStopping EarlyStopping { get; init; }

    /// <summary>Sampling temperature; 0 takes the best token.</summary>
    public double Temperature { get; init; }

    /// <summary>Sampling draws from this many best tokens; 50 is transformers' default.</summary>
    public int TopK { get; init; } = 50;
}
