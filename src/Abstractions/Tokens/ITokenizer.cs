namespace AsrPlatform.Abstractions.Tokens;

/// <summary>Maps text to token ids and back.</summary>
/// <remarks>Immutable and safe for concurrent calls.</remarks>
public interface ITokenizer
{
    /// <summary>Number of ids, special tokens included.</summary>
    int VocabularySize { get; }

    /// <summary>Encodes text as it stands: no prefix, no end token; the text of a special token becomes that token, as transformers does.</summary>
    int[] Encode(string text);

    /// <summary>Decodes ids; bytes that are no valid UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves special and timestamp tokens out.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>The id of a token by its exact text, such as <c>&lt;|en|&gt;</c>; null when the vocabulary has none.</summary>
    int? TokenToId(string token);
}
