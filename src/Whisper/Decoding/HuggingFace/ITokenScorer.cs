namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Scores the next token of hypotheses: what a search needs of a model, and all that it knows of one.</summary>
/// <remarks>
/// The rows that a call returns belong to the caller, who may change them, until the next call. Nothing is allocated per call once the
/// buffers have grown to the size of the search.
/// </remarks>
internal interface ITokenScorer
{
    /// <summary>Number of token ids.</summary>
    int VocabularySize { get; }

    /// <summary>Scores the first token of each sequence.</summary>
    /// <returns>Logits <c>[sequence, vocabulary]</c>.</returns>
    Span<float> Start();

    /// <summary>Continues hypotheses by one token each.</summary>
    /// <param name="parents">For each new row, the row of the call before that it continues. Rows may repeat or be left out.</param>
    /// <param name="tokens">The token that each new row appends.</param>
    /// <returns>Logits of the tokens after those, <c>[row, vocabulary]</c>.</returns>
    Span<float> Next(ReadOnlySpan<int> parents, ReadOnlySpan<int> tokens);
}

/// <summary>Masks tokens that may not come next by setting their scores to negative infinity.</summary>
/// <param name="scores"><c>[vocabulary]</c>, logits or log-probabilities; changed in place.</param>
/// <param name="generated">The tokens that the hypothesis has generated so far, its prefix not among them.</param>
internal delegate void TokenRule(Span<float> scores, ReadOnlySpan<int> generated);
