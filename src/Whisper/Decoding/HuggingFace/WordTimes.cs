using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Words of generated tokens with their times, as transformers' pipeline gives them.</summary>
/// <remarks>
/// Words are divided at spaces in every language: the pipeline knows a language by the prefix, which <c>generate</c> no longer returns,
/// so that a Japanese or Chinese sentence is one word there. OpenAI's algorithm divides those too.
/// </remarks>
internal static class WordTimes
{
    /// <summary>The language by whose rules words are divided.</summary>
    public const string SpacedLanguage = "en";

    /// <summary>Collects the words of a segment.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="window">The segment's window, with token times.</param>
    /// <param name="segment">The segment.</param>
    /// <param name="offset">Start of the window in seconds.</param>
    /// <returns>The words; a token lasts from the time of the one before it to its own.</returns>
    public static IReadOnlyList<TranscriptWord> Collect(
        WhisperTokenizer tokenizer, GeneratedWindow window, GeneratedSegment segment, double offset)
    {
        var tokens = new List<HeardToken>();
        for (var place = segment.Offset; place < segment.Offset + segment.Tokens.Count; place++)
        {
            if (window.Tokens[place] < tokenizer.EndOfText)
            {
                tokens.Add(new HeardToken(
                    window.Tokens[place],
                    Math.Round(offset + (place == 0 ? 0 : window.TokenTimes![place - 1]), 2),
                    Math.Round(offset + window.TokenTimes![place], 2),
                    window.Probabilities[place],
                    window,
                    0));
            }
        }

        return Collect(tokenizer, tokens);
    }

    /// <summary>Collects the words of tokens.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="tokens">Text, with times from the start of the audio.</param>
    /// <returns>The words: each from the start of its first to the end of its last token. The probability is the mean of its tokens'.</returns>
    public static IReadOnlyList<TranscriptWord> Collect(WhisperTokenizer tokenizer, IReadOnlyList<HeardToken> tokens)
    {
        var (words, wordTokens) = tokenizer.SplitToWords([.. tokens.Select(token => token.Id)], SpacedLanguage);
        WordTiming[] timings =
        [
            .. words.Zip(wordTokens, (word, ids) => new WordTiming { Word = word, TokenCount = ids.Length, Start = 0, End = 0, Probability = 0 }),
        ];
        Punctuation.Merge(timings, Punctuation.HuggingFaceOpening);

        var result = new List<TranscriptWord>();
        var first = 0;
        foreach (var timing in timings)
        {
            if (timing.TokenCount == 0)
            {
                continue;
            }

            var last = first + timing.TokenCount - 1;
            result.Add(new TranscriptWord(
                timing.Word, tokens[first].Start, tokens[last].End, tokens.Skip(first).Take(timing.TokenCount).Average(token => token.Probability)));
            first = last + 1;
        }

        return result;
    }
}
