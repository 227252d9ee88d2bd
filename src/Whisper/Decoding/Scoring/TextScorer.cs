using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.Scoring;

/// <summary>Says how likely texts are, given audio: each is forced through the decoder, behind the tokens for its language, its task and "no timestamps".</summary>
/// <remarks>
/// The probabilities are the model's own, over its whole vocabulary, as its training's loss has them. Some checkpoints begin a text with a
/// space and some do not: where the language writes spaces, the likelier of both spellings counts, so that an adapter gains nothing by
/// changing that habit. Belongs to the model's thread; owns nothing but buffers, which grow to what was needed most.
/// </remarks>
/// <param name="parts">The checkpoint's parts; stay the caller's.</param>
public sealed class TextScorer(WhisperDecoderInput parts)
{
    /// <summary>Audio encoded at once.</summary>
    private const int MostEncoded = 8;

    /// <summary>Texts decoded at once.</summary>
    private const int MostRows = 32;

    /// <summary>Logits held at once (64 MiB), unless one text needs more.</summary>
    private const int MostLogits = 1 << 24;

    /// <summary>Short contexts are multiples of this, as those of captions are.</summary>
    private const double ContextStepSeconds = 1;

    private float[] _features = [];
    private float[] _logits = [];

    /// <summary>Scores texts.</summary>
    /// <param name="requests">The texts and their audio.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    /// <returns>A score for each request, in their order. It does not depend on what else is asked.</returns>
    /// <exception cref="AsrException">
    /// A text has more tokens than the decoder holds, audio is empty or longer than the model hears at once, the language is unknown, or an
    /// adapter was chosen for a model that takes none.
    /// </exception>
    public IReadOnlyList<TextScore> Score(IReadOnlyList<ScoreRequest> requests, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var scores = new TextScore[requests.Count];
        var sources = requests.Select((request, index) => (Request: request, Index: index))
            .GroupBy(item => (item.Request.Samples, item.Request.Adapter))
            .Select(group => new Source(group.Key.Samples, group.Key.Adapter, Frames(group.First().Request), [.. group.Select(item => item.Index)]))
            .ToArray();
        foreach (var request in requests)
        {
            // What can be refused without the model is refused before it works.
            _ = Spellings(request, request.Language ?? parts.Tokenizer.Languages.Select(language => language.Code).FirstOrDefault());
        }

        // Equal adapters side by side are fastest.
        foreach (var alike in sources.GroupBy(source => source.Frames))
        {
            foreach (var together in alike.OrderBy(source => source.Adapter).Chunk(MostEncoded))
            {
                cancellationToken.ThrowIfCancellationRequested();
                ScoreTogether(requests, together, scores, cancellationToken);
            }
        }

        return scores;
    }

    private int Frames(ScoreRequest request)
    {
        var seconds = request.Samples.Length / (double)parts.Features.SampleRateHz;
        var most = parts.Model.Info.MaxSourcePositions / parts.PositionsPerSecond;
        return request.Samples.IsEmpty ? throw new AsrException("A text cannot be scored against empty audio.")
            : seconds > most ? throw new AsrException(FormattableString.Invariant($"A text cannot be scored against {seconds:0.#} s of audio: the model hears {most:0.#} s at once."))
            : parts.ContextFrames(request.Samples.Length, ContextStepSeconds, parts.Generation.HasDynamicContext);
    }

    private void ScoreTogether(IReadOnlyList<ScoreRequest> requests, Source[] together, TextScore[] scores, CancellationToken cancellationToken)
    {
        using var states = Encode(together);
        var detected = parts.Tokenizer is { IsMultilingual: true, Languages.Count: > 0 }
            && together.Any(source => source.Requests.Any(index => requests[index].Language is null))
            ? LanguageDetector.Detect(parts.Model, states, parts.Tokenizer).Select(languages => languages[0].Code).ToArray()
            : null;

        // Texts of about the same length waste least.
        var rows = together.SelectMany((source, encoded) => source.Requests.SelectMany(
                index => Spellings(requests[index], requests[index].Language ?? detected?[encoded]).Select(row => row with { Encoded = encoded, Request = index })))
            .OrderByDescending(row => row.Tokens.Length)
            .ToList();
        for (var start = 0; start < rows.Count;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var width = rows[start].Tokens.Length;
            var count = Math.Clamp(Math.Min(MostRows, MostLogits / (width * parts.Model.Info.VocabularySize)), 1, rows.Count - start);
            Force(states, rows.GetRange(start, count), width, scores);
            start += count;
        }
    }

    private IEncoderStates Encode(Source[] together)
    {
        var frames = together[0].Frames;
        var size = parts.Features.FeatureSize * frames;
        var features = Buffer(ref _features, together.Length * size);
        for (var i = 0; i < together.Length; i++)
        {
            parts.Features.Extract(together[i].Samples.Span, frames * parts.Features.HopLength).Values.CopyTo(features[(i * size)..]);
        }

        return parts.Model is IMultiAdapterModel model ? model.Encode(features, together.Length, frames, Array.ConvertAll(together, source => source.Adapter))
            : Array.TrueForAll(together, source => source.Adapter == IMultiAdapterModel.NoAdapter) ? parts.Model.Encode(features, together.Length, frames)
            : throw new AsrException($"The backend \"{parts.Model.Info.Backend}\" takes no adapters.");
    }

    /// <summary>The token rows that a request's text may stand for.</summary>
    private IEnumerable<Row> Spellings(ScoreRequest request, string? language)
    {
        var tokenizer = parts.Tokenizer;
        var prefix = tokenizer.Prefix(tokenizer.IsMultilingual ? language : null, request.Task, timestamps: false);
        var text = request.Text.Trim();
        var spellings = text.Length == 0 ? [[]]
            : WhisperTokenizer.WritesSpaces(language ?? "en") ? new[] { tokenizer.EncodePlain(text), tokenizer.EncodePlain(" " + text) }
            : [tokenizer.EncodePlain(text)];
        var most = parts.Model.Info.MaxTargetPositions - prefix.Length;
        var fitting = spellings.Where(tokens => tokens.Length <= most).ToArray();
        return fitting.Length == 0
            ? throw new AsrException($"The text \"{(text.Length > 40 ? text[..40] + "…" : text)}\" has {spellings[0].Length} tokens, and the model's decoder holds {most} at once: divide it.")
            : fitting.Select(tokens => new Row([.. prefix, .. tokens], prefix.Length, language));
    }

    private void Force(IEncoderStates states, List<Row> rows, int width, TextScore[] scores)
    {
        var vocabulary = parts.Model.Info.VocabularySize;
        var tokens = new int[rows.Count * width];
        for (var i = 0; i < rows.Count; i++)
        {
            rows[i].Tokens.CopyTo(tokens, i * width);
        }

        int[] counts = [.. rows.Select(row => row.Tokens.Length)];
        using var cache = parts.Model.CreateCache(states, [.. rows.Select(row => row.Encoded)], new DecoderCacheOptions { Capacity = width });
        var logits = Buffer(ref _logits, rows.Count * width * vocabulary);
        parts.Model.Decode(cache, tokens, Array.TrueForAll(counts, count => count == width) ? [] : counts, LogitPositions.All, logits, []);
        for (var i = 0; i < rows.Count; i++)
        {
            var score = Read(rows[i], logits.Slice(i * width * vocabulary, width * vocabulary));
            ref var best = ref scores[rows[i].Request];
            if (best is null || score.LogProbability > best.LogProbability)
            {
                best = score;
            }
        }
    }

    /// <summary>The score of a row out of its logits, <c>[token, vocabulary]</c>.</summary>
    private TextScore Read(Row row, ReadOnlySpan<float> logits)
    {
        var tokenizer = parts.Tokenizer;
        var vocabulary = parts.Model.Info.VocabularySize;
        int[] predicted = [.. row.Tokens.AsSpan(row.Prefix), tokenizer.EndOfText];
        var sum = 0.0;
        var ofTokens = new double[predicted.Length];
        for (var i = 0; i < predicted.Length; i++)
        {
            ofTokens[i] = LogProbabilities.OfToken(logits.Slice((row.Prefix - 1 + i) * vocabulary, vocabulary), predicted[i]);
            sum += ofTokens[i];
        }

        var language = row.Language ?? "en";
        var spaced = WhisperTokenizer.WritesSpaces(language);
        var words = new List<WordScore>();
        var (texts, wordTokens) = tokenizer.SplitToWords(predicted.AsSpan(0, predicted.Length - 1), language);
        var at = 0;
        for (var i = 0; i < texts.Length; i++)
        {
            var logProbability = 0.0;
            for (var end = at + wordTokens[i].Length; at < end; at++)
            {
                logProbability += ofTokens[at];
            }

            if (spaced && words.Count > 0 && !texts[i].StartsWith(' '))
            {
                // "7", ":45" and "." are one word to a reader.
                words[^1] = new WordScore(words[^1].Word + texts[i], words[^1].LogProbability + logProbability, words[^1].Tokens + wordTokens[i].Length);
            }
            else
            {
                words.Add(new WordScore(texts[i], logProbability, wordTokens[i].Length));
            }
        }

        return new TextScore(sum, predicted.Length, [.. words.Select(word => word with { Word = word.Word.Trim() })]);
    }

    private static Span<float> Buffer(ref float[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new float[length];
        }

        return buffer.AsSpan(0, length);
    }

    /// <summary>Audio to encode with an adapter, and the requests that are about it.</summary>
    private sealed record Source(ReadOnlyMemory<float> Samples, int Adapter, int Frames, int[] Requests);

    /// <summary>Tokens to force: the prefix, of so many tokens, and the text.</summary>
    private sealed record Row(int[] Tokens, int Prefix, string? Language)
    {
        public int Encoded { get; init; }

        public int Request { get; init; }
    }
}
