using System.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>Decodes tokens as they come: text is given out as soon as its bytes are complete, so that no half character is ever shown.</summary>
/// <remarks>
/// What all calls return together is what <see cref="WhisperTokenizer.Decode"/> returns for all ids. Not safe for concurrent calls.
/// </remarks>
public sealed class Utf8TokenStream
{
    private readonly WhisperTokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    /// <summary>Starts a stream.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out. Timestamps are always left out.</param>
    public Utf8TokenStream(WhisperTokenizer tokenizer, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
    }

    /// <summary>Takes in a token and returns the text that is complete with it, often none.</summary>
    public string Append(int id) =>
        _tokenizer.IsTimestamp(id) || (_skipSpecialTokens && _tokenizer.IsSpecial(id)) ? "" : Convert(_tokenizer.BytesOf(id), flush: false);

    /// <summary>Ends the text: the incomplete rest, if any, becomes U+FFFD. The stream can be used again.</summary>
    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        // Up to three bytes may be held back from before.
        var characters = new char[bytes.Length + 4];
        return new string(characters, 0, _decoder.GetChars(bytes, characters, flush));
    }
}
