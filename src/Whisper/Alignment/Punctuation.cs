namespace AsrPlatform.Whisper.Alignment;

/// <summary>Punctuation in word timings, as OpenAI treats it.</summary>
/// <remarks>
/// Membership is that of Python's <c>in</c> on strings: a run of marks in the order of these lists counts as one mark, and so does
/// nothing at all.
/// </remarks>
internal static class Punctuation
{
    /// <summary>Marks that belong to the word after them.</summary>
    public const string Opening = "\"'“¿([{-";

    /// <summary>As <see cref="Opening"/>, in transformers.</summary>
    public const string HuggingFaceOpening = "\"'“¡¿([{-";

    /// <summary>Marks that belong to the word before them.</summary>
    public const string Closing = "\"'.。,，!！?？:：”)]}、";

    /// <summary>Marks that end a sentence.</summary>
    public const string SentenceEnd = ".。!！?？";

    /// <summary>Whether a word is one of the marks.</summary>
    public static bool Contains(string marks, string word) => marks.Contains(word, StringComparison.Ordinal);

    /// <summary>Moves marks that stand alone into the word that they belong to; the emptied entries stay in place.</summary>
    public static void Merge(IReadOnlyList<WordTiming> words, string opening = Opening)
    {
        var target = words.Count - 1;
        for (var i = words.Count - 2; i >= 0; i--)
        {
            if (words[i].Word.StartsWith(' ') && Contains(opening, words[i].Word.Trim()))
            {
                words[target].Word = words[i].Word + words[target].Word;
                words[target].TokenCount += words[i].TokenCount;
                Empty(words[i]);
            }
            else
            {
                target = i;
            }
        }

        target = 0;
        for (var i = 1; i < words.Count; i++)
        {
            if (!words[target].Word.EndsWith(' ') && Contains(Closing, words[i].Word))
            {
                words[target].Word += words[i].Word;
                words[target].TokenCount += words[i].TokenCount;
                Empty(words[i]);
            }
            else
            {
                target = i;
            }
        }
    }

    private static void Empty(WordTiming word) => (word.Word, word.TokenCount) = (string.Empty, 0);
}
