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
    private const string SpacedLanguage = "en";

    /// <summary>Collects the words of a segment.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="window">The segment's window, with token times.</param>
    /// <param name="segment">The segment.</param>
    /// <param name="offset">Start of the window in seconds.</param>
    /// <returns>
    /// The words: each from the time of the token before its first to that of its last token, since a token's time is where it ends. The
    /// probability is the mean of its tokens'.
    /// </returns>
    public static IReadOnlyList<TranscriptWord> Collect(
        WhisperTokenizer tokenizer, GeneratedWindow window, GeneratedSegment segment, double offset)
    {
        var places = new List<int>(); // of the text tokens in the window
        for (var i = 0; i < segment.Tokens.Count; i++)
        {
            if (segment.Tokens[i] < tokenizer.EndOfText)
            {
                places.Add(segment.Offset + i);
            }
        }

        int[] text = [.. places.Select(place => window.Tokens[place])];
        var (words, wordTokens) = tokenizer.SplitToWords(text, SpacedLanguage);
        WordTiming[] timings =
        [
            .. words.Zip(wordTokens, (word, tokens) => new WordTiming { Word = word, TokenCount = tokens.Length, Start = 0, End = 0, Probability = 0 }),
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

            var place = places[first];
            var last = places[first + timing.TokenCount - 1];
            result.Add(new TranscriptWord(
                timing.Word,
                Math.Round(offset + (place == 0 ? 0 : window.TokenTimes![place - 1]), 2),
                Math.Round(offset + window.TokenTimes![last], 2),
                places.Skip(first).Take(timing.TokenCount).Average(token => window.Probabilities[token])));
            first += timing.TokenCount;
        }

        return result;
    }
}
