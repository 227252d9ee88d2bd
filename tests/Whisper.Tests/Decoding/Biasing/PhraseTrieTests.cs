using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Decoding.Biasing;

public sealed class PhraseTrieTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private const double Weight = 0.75;

    private WhisperTokenizer Tokenizer => micro.Parts.Tokenizer;

    /// <summary>Three words and two endings of words.</summary>
    private int[] Alphabet => [440, 21026, 16704, .. Tokenizer.Encode("ing").Take(1), .. Tokenizer.Encode("est").Take(1)];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Score_RandomPhrasesAndTexts_IsThatOfAPlainParse(bool pushed)
    {
        var random = new Random(11);
        var gains = 0;
        for (var trial = 0; trial < 2000; trial++)
        {
            var forms = Forms(random);
            var trie = new PhraseTrie(forms, Weight, pushed, Tokenizer);
            var text = Text(random, random.Next(0, 12));
            var expected = PlainScore(forms, text);
            Assert.Equal(expected, trie.ScoreOf(text), 1e-9);
            gains += expected > 0 ? 1 : 0;
        }

        Assert.InRange(gains, 500, 1999);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Adjust_EveryToken_AddsWhatItGains(bool pushed)
    {
        var random = new Random(12);
        for (var trial = 0; trial < 200; trial++)
        {
            var trie = new PhraseTrie(Forms(random), Weight, pushed, Tokenizer);
            var state = PhraseTrie.Start;
            foreach (var token in Text(random, random.Next(0, 8)))
            {
                state = trie.Next(state, token, out _);
            }

            var scores = new float[micro.Parts.Model.Info.VocabularySize];
            trie.Adjust(state, scores, double.PositiveInfinity);
            foreach (var token in (int[])[.. Alphabet, 500, Tokenizer.Encode("s")[0], Tokenizer.EndOfText, Tokenizer.TimestampBegin + 3])
            {
                trie.Next(state, token, out var change);
                Assert.Equal(change, scores[token], 1e-5);
            }
        }
    }

    [Fact]
    public void Adjust_ATokenFarBelowTheBest_CannotGoOnWithAPhrase()
    {
        var trie = new PhraseTrie([new PhraseForm(0, [440, 21026], false)], 100, pushed: false, Tokenizer);
        var scores = new float[micro.Parts.Model.Info.VocabularySize];
        scores[16704] = 5;
        trie.Adjust(PhraseTrie.Start, scores, tokenNats: 4);
        Assert.Equal(float.NegativeInfinity, scores[440]);
        scores[440] = 1.5f;
        trie.Adjust(PhraseTrie.Start, scores, tokenNats: 4);
        Assert.Equal(101.5f, scores[440]);
    }

    [Fact]
    public void Score_AWordWithinALongerOne_GainsNothing()
    {
        var (jump, ing) = (16704, Tokenizer.Encode("ing")[0]);
        var trie = new PhraseTrie([new PhraseForm(0, [jump], false)], 1, pushed: false, Tokenizer);
        Assert.Equal(1, trie.ScoreOf([440, jump]), 1e-9);
        Assert.Equal(1, trie.ScoreOf([440, jump, 440]), 1e-9);
        Assert.Equal(0, trie.ScoreOf([440, jump, ing]), 1e-9);
    }

    [Fact]
    public void Score_AFormOfTheBeginning_CountsThereAndBehindATimestamp()
    {
        var trie = new PhraseTrie([new PhraseForm(0, [440], true)], 1, pushed: false, Tokenizer);
        Assert.Equal(1, trie.ScoreOf([440, 21026]), 1e-9);
        Assert.Equal(0, trie.ScoreOf([21026, 440]), 1e-9);
        Assert.Equal(1, trie.ScoreOf([21026, Tokenizer.TimestampBegin, 440]), 1e-9);
    }

    private PhraseForm[] Forms(Random random) =>
        [.. Enumerable.Range(0, random.Next(1, 6)).Select(i => new PhraseForm(i, Tokens(random, random.Next(1, 4)), random.Next(5) == 0))];

    private int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => Alphabet[random.Next(Alphabet.Length)])];

    private int[] Text(Random random, int count)
    {
        var text = Tokens(random, count);
        for (var i = 0; i < count; i++)
        {
            text[i] = random.Next(12) == 0 ? Tokenizer.TimestampBegin + i : text[i];
        }

        return text;
    }

    // From left to right: the longest phrase at each place, unless its last word goes on.
    private double PlainScore(PhraseForm[] forms, int[] text)
    {
        var score = 0.0;
        for (var i = 0; i < text.Length;)
        {
            var isStart = i == 0 || text[i - 1] >= Tokenizer.TimestampBegin;
            var longest = forms
                .Where(form => isStart || !form.OnlyAtStart)
                .Select(form => form.Tokens)
                .Where(tokens => text.AsSpan(i).StartsWith(tokens))
                .Where(tokens => i + tokens.Length == text.Length || !Tokenizer.WordContinuations.Contains(text[i + tokens.Length]))
                .Select(tokens => tokens.Length)
                .DefaultIfEmpty(0)
                .Max();
            score += Weight * longest;
            i += Math.Max(1, longest);
        }

        return score;
    }
}
