using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Streaming;
using AsrPlatform.Whisper.Tests.Decoding.HuggingFace;
using AsrPlatform.Whisper.Tests.Decoding.OpenAi;
using AsrPlatform.Whisper.Tokens;
using OpenAiBeamSearch = AsrPlatform.Whisper.Decoding.OpenAi.BeamSearch;

namespace AsrPlatform.Whisper.Tests.Decoding.Biasing;

/// <summary>Preferred phrases in every search, on models that a script plays.</summary>
public sealed class BiasedSearchTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private static readonly PhraseBias Zenlacraft = new(["zenlacraft"]);

    private WhisperTokenizer Tokenizer => micro.Parts.Tokenizer;

    [Fact]
    public void OpenAiBeamSearch_WideBeamOnATinyVocabulary_FindsTheBestOfAllTexts()
    {
        // The end is token 0 for the search; for the trie, whose special tokens lie behind its text, it ends words all the same.
        const int Vocabulary = 4;
        const int MaxTokens = 4;
        var random = new Random(5);
        var different = 0;
        for (var trial = 0; trial < 150; trial++)
        {
            var table = Table(random, Vocabulary);
            var trie = new PhraseTrie(Forms(random, Vocabulary), 0.8, pushed: false, Tokenizer);
            var search = new OpenAiBeamSearch(200, 1, 0, MaxTokens, Vocabulary);
            search.Begin(trie, double.PositiveInfinity);
            do
            {
                for (var row = 0; row < search.Rows; row++)
                {
                    search.Extend(row, Logits(table, search.Tokens(row)));
                }

                search.Advance();
            }
            while (!search.Completed && search.Length < MaxTokens);

            var found = search.Finish().MaxBy(candidate => candidate.Score + candidate.Gain);
            var all = Texts(Vocabulary, MaxTokens).Select(text => (Text: text, Score: LogProbability(table, text, MaxTokens), Gain: Gain(trie, text, MaxTokens))).ToArray();
            var best = all.MaxBy(text => text.Score + text.Gain);
            Assert.Equal(best.Score + best.Gain, found.Score + found.Gain, 1e-4);
            Assert.Equal(LogProbability(table, found.Tokens, MaxTokens), found.Score, 1e-4);
            different += all.MaxBy(text => text.Score).Text.SequenceEqual(best.Text) ? 0 : 1;
        }

        Assert.InRange(different, 20, 149);
    }

    [Fact]
    public void HuggingFaceBeamSearch_WideBeamOnATinyVocabulary_FindsTheBestOfAllTexts()
    {
        const int Vocabulary = 4;
        const int MaxTokens = 4;
        var random = new Random(6);
        for (var trial = 0; trial < 100; trial++)
        {
            var table = Table(random, Vocabulary);
            var trie = new PhraseTrie(Forms(random, Vocabulary), 0.8, pushed: false, Tokenizer);
            var settings = new SearchSettings { MaxNewTokens = MaxTokens + 1, EndToken = 0, Beams = 100, ReturnedSequences = 1, LengthPenalty = 0, EarlyStopping = EarlyStopping.Never };
            var found = Assert.Single(BeamSearch.Run(
                new BigramScorer(table, [0]), 1, settings, (scores, generated) => Forbid(scores, generated, MaxTokens), default, ([trie], double.PositiveInfinity)))[0];
            var best = Texts(Vocabulary, MaxTokens).Max(text => Whole(table, text, trie));
            Assert.Equal(best, Whole(table, found.Tokens[..^1], trie), 1e-4);
        }
    }

    [Theory]
    [InlineData("openai", null)]
    [InlineData("openai", 3)]
    [InlineData("hf", null)]
    [InlineData("hf", 3)]
    public void Transcribe_AWordThatIsNearlyHeard_IsWrittenWhenItIsPreferredAndNotElse(string algorithm, int? beams)
    {
        using var model = Ambiguous(" we sold the", " zen la craft", " zenlacraft", " today", behind: 4);
        using var recognizer = micro.With(model);
        var options = new TranscriptionOptions
        {
            Algorithm = algorithm,
            Language = "en",
            WithoutTimestamps = true,
            BeamSize = beams,
            TemperatureIncrementOnFallback = null,
            ConditionOnPreviousText = false,
            NoSpeechThreshold = null,
            LogProbabilityThreshold = null,
            CompressionRatioThreshold = null,
        };
        Assert.Equal(" we sold the zen la craft today", recognizer.Transcribe(Silence(2), options).Text);
        Assert.Equal(" we sold the zenlacraft today", recognizer.Transcribe(Silence(2), options with { Bias = Zenlacraft }).Text);
        Assert.Equal(" we sold the zen la craft today", recognizer.Transcribe(Silence(2), options with { Bias = new PhraseBias(["battery", "Kowalczyk"]) }).Text);
        Assert.Equal(0, model.Open);
    }

    [Fact]
    public void Decode_RowsWithDifferentPhrases_HearWhatEachAloneWould()
    {
        using var model = Ambiguous(" we sold the", " zen la craft", " zenlacraft", " today", behind: 4);
        PhraseBias?[] biases = [null, Zenlacraft, new(["battery"]), Zenlacraft, new(["zenlacraft", "today"], 0)];
        var heard = Decoder(model).Decode([.. biases.Select(Pass)], TestContext.Current.CancellationToken);
        Assert.Equal(
            ["we sold the zen la craft today", "we sold the zenlacraft today", "we sold the zen la craft today", "we sold the zenlacraft today", "we sold the zen la craft today"],
            heard.Select(Text));
        Assert.Equal(0, model.Open);
    }

    [Fact]
    public void Decode_APhraseThatTheModelHoldsForImpossible_IsNotWritten()
    {
        using var model = Ambiguous(" we sold the", " zen la craft", " zenlacraft", " today", behind: 15);
        Assert.Equal("we sold the zen la craft today", Text(Assert.Single(Decoder(model).Decode([Pass(Zenlacraft)], TestContext.Current.CancellationToken))));
    }

    [Fact]
    public void Decode_WordsThatSoundLikeNoPhrase_AreDecodedOnce()
    {
        using var model = Ambiguous(" we sold the", " zen la craft", " zenlacraft", " today", behind: 4);
        var decoder = Decoder(model);
        decoder.Decode([Pass(null)], TestContext.Current.CancellationToken);
        var without = model.RowsOfCalls.Count;
        decoder.Decode([Pass(new PhraseBias(["battery", "Kowalczyk", "rabtodipine"]))], TestContext.Current.CancellationToken);
        Assert.Equal(2 * without, model.RowsOfCalls.Count);
        decoder.Decode([Pass(Zenlacraft)], TestContext.Current.CancellationToken);
        Assert.True(model.RowsOfCalls.Count > 3 * without, "The phrase was not tried.");
    }

    [Fact]
    public void Decode_TwoPhrasesBesideEachOther_WritesBoth()
    {
        using var model = Ambiguous(" I met", " an a koval chick", " Anna Kowalczyk", " there", behind: 1);
        Assert.Equal("I met Anna Kowalczyk there", Text(Assert.Single(Decoder(model).Decode([Pass(new PhraseBias(["Anna", "Kowalczyk"]))], TestContext.Current.CancellationToken))));
    }

    [Fact]
    public void Decode_PhrasesInSeveralPlaces_WritesAll()
    {
        // The second is worth trying only once the first is written: everything but the two texts is impossible.
        using var model = Ambiguous(" the", " zen la craft and the cola limits in", " zenlacraft and the colalimitsin", " today", behind: 4);
        var bias = new PhraseBias(["zenlacraft", "colalimitsin", "rabtodipine", "zenlakreft"]);
        Assert.Equal("the zenlacraft and the colalimitsin today", Text(Assert.Single(Decoder(model).Decode([Pass(bias)], TestContext.Current.CancellationToken))));
    }

    [Fact]
    public void Decode_TheBeginningOfAPhraseAtTheEndOfAWindow_WaitsForMore()
    {
        int[] said = Tokenizer.Encode(" we sold the zen la");
        using var model = Script(text => text.Count < said.Length ? [(said[text.Count], 10f)] : [(Tokenizer.EndOfText, 10f)]);
        model.Attend = _ => 10;
        var pass = Pass(Zenlacraft) with { Samples = new float[4 * 16000] };
        var open = Assert.Single(Decoder(model).Decode([pass], TestContext.Current.CancellationToken));
        Assert.Equal([false, false, false, true, true], open.Words.Select(word => word.MayGrow));
        Assert.Equal(3, new AlignAttPolicy().Settle(open.Words, open, 4, isFinal: false));
        var final = Assert.Single(Decoder(model).Decode([pass with { IsFinal = true }], TestContext.Current.CancellationToken));
        Assert.DoesNotContain(final.Words, word => word.MayGrow);
        Assert.Equal(5, new AlignAttPolicy().Settle(final.Words, final, 4, isFinal: false));
    }

    [Fact]
    public void Transcribe_RealAudioWithPhrasesThatAreNotSaid_IsWhatItWasWithout()
    {
        var bias = new PhraseBias(["rabtodipine", "zenlacraft", "Kowalczyk", "van der Berg"]);
        foreach (var options in new TranscriptionOptions[] { new() { Language = "en" }, new() { Language = "en", BeamSize = 3 }, new() { Algorithm = "hf", Language = "en", TemperatureIncrementOnFallback = null } })
        {
            var plain = micro.Recognizer.Transcribe(MicroRecognizer.Audio("fox"), options);
            var biased = micro.Recognizer.Transcribe(MicroRecognizer.Audio("fox"), options with { Bias = bias });
            Assert.Equal(plain.Segments.SelectMany(segment => segment.Tokens), biased.Segments.SelectMany(segment => segment.Tokens));
            Assert.Equal(plain.Segments.Select(segment => segment.AverageLogProbability), biased.Segments.Select(segment => segment.AverageLogProbability));
        }
    }

    private static string Text(StreamHypothesis heard) => string.Concat(heard.Words.Select(word => word.Text)).Trim();

    private static MemoryAudioSource Silence(int seconds) => new(new float[seconds * 16000], 16000);

    private static StreamPass Pass(PhraseBias? bias) => new() { Samples = new float[2 * 16000], Language = "en", Bias = bias, IsFinal = bias is null };

    private StreamingDecoder Decoder(ScriptedModel model) => new(
        new WhisperDecoderInput(model, micro.Parts.Features, micro.Parts.Tokenizer, micro.Parts.Config, micro.Parts.Generation), new StreamingOptions());

    /// <summary>A model that hears one text, and another in its place that is by so many nats less likely at the first token where they differ.</summary>
    private ScriptedModel Ambiguous(string before, string heard, string meant, string after, float behind)
    {
        int[] first = [.. Tokenizer.Encode(before + heard + after), Tokenizer.EndOfText];
        int[] second = [.. Tokenizer.Encode(before + meant + after), Tokenizer.EndOfText];
        return Script(text => Next(first, text, 10).Concat(Next(second, text, 10 - behind)).DistinctBy(next => next.Token));

        static IEnumerable<(int Token, float Logit)> Next(int[] script, List<int> text, float logit) =>
            text.Count < script.Length && text.SequenceEqual(script.Take(text.Count)) ? [(script[text.Count], logit)] : [];
    }

    private ScriptedModel Script(Func<List<int>, IEnumerable<(int Token, float Logit)>> script) => new(
        micro.Parts.Model.Info,
        (_, tokens) => script([.. tokens.Where(token => token < Tokenizer.EndOfText)]));

    private static PhraseForm[] Forms(Random random, int vocabulary) =>
        [.. Enumerable.Range(0, 2).Select(i => new PhraseForm(i, [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, vocabulary))], false))];

    private static float[][] Table(Random random, int vocabulary) =>
        [.. Enumerable.Range(0, vocabulary).Select(_ => Enumerable.Range(0, vocabulary).Select(_ => (float)(random.NextDouble() * 4)).ToArray())];

    private static float[] Logits(float[][] table, ReadOnlySpan<int> tokens)
    {
        var logits = table[tokens.IsEmpty ? 0 : tokens[^1]].ToArray();
        if (tokens.IsEmpty)
        {
            logits[0] = float.NegativeInfinity;
        }

        return logits;
    }

    private static void Forbid(Span<float> scores, ReadOnlySpan<int> generated, int maxTokens)
    {
        if (generated.IsEmpty)
        {
            scores[0] = float.NegativeInfinity;
        }

        if (generated.Length == maxTokens)
        {
            scores[1..].Fill(float.NegativeInfinity);
        }
    }

    private static IEnumerable<int[]> Texts(int vocabulary, int most)
    {
        List<int[]> last = [[]];
        for (var length = 1; length <= most; length++)
        {
            last = [.. last.SelectMany(text => Enumerable.Range(1, vocabulary - 1).Select(token => (int[])[.. text, token]))];
            foreach (var text in last)
            {
                yield return text;
            }
        }
    }

    /// <summary>The end counts, unless the text was cut off at the longest length.</summary>
    private static double LogProbability(float[][] table, int[] text, int most)
    {
        var sum = 0.0;
        for (var i = 0; i < text.Length; i++)
        {
            sum += LogProbabilities.OfToken(Logits(table, text.AsSpan(0, i)), text[i]);
        }

        return text.Length < most ? sum + LogProbabilities.OfToken(Logits(table, text), 0) : sum;
    }

    /// <summary>Token 0 ends the text here and is no special token to the trie: it ends words, which is all that matters.</summary>
    private static double Gain(PhraseTrie trie, int[] text, int most) => trie.ScoreOf(text.Length < most ? [.. text, 0] : text);

    /// <summary>As transformers scores: masked after the softmax and not normalised again; the end always counts.</summary>
    private static double Whole(float[][] table, int[] text, PhraseTrie trie)
    {
        var sum = 0.0;
        for (var i = 0; i <= text.Length; i++)
        {
            sum += LogProbabilities.OfToken(table[i == 0 ? 0 : text[i - 1]], i < text.Length ? text[i] : 0);
        }

        return sum + trie.ScoreOf([.. text, 0]);
    }
}
