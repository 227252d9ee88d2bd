using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class RowSearchTests
{
    private const int End = 0;

    // Token 0 ends; 1 → 2 → 3 → 0 is the best path, of which each step has the probability 0.5.
    private static readonly float[][] Table =
    [
        Row(0.25f, 0.25f, 0.25f, 0.25f), Row(0.1f, 0.2f, 0.5f, 0.2f), Row(0.1f, 0.2f, 0.2f, 0.5f), Row(0.5f, 0.2f, 0.2f, 0.1f),
    ];

    [Fact]
    public void Run_Greedy_TakesTheBestTokenAndItsProbability()
    {
        var found = Search([1, 2, 3], new SearchSettings { MaxNewTokens = 10, EndToken = End });
        Assert.Equal([[2, 3, 0], [3, 0], [0]], found.Select(hypothesis => hypothesis.Tokens));
        Assert.All(found, hypothesis => Assert.Equal(Math.Log(0.5), hypothesis.AverageLogProbability, 1e-5));
    }

    [Fact]
    public void Run_AtTheLimit_StopsWithoutEnd()
    {
        var found = Search([1, 3], new SearchSettings { MaxNewTokens = 2, EndToken = End });
        Assert.Equal([[2, 3], [0]], found.Select(hypothesis => hypothesis.Tokens));
    }

    [Fact]
    public void Run_Rule_ChangesChoiceAndProbability()
    {
        var found = Search([1], new SearchSettings { MaxNewTokens = 1, EndToken = End }, (scores, _) => scores[2] = float.NegativeInfinity)[0];
        Assert.Equal(1, found.Tokens[0]);
        Assert.Equal(Math.Log(0.2 / 0.5), found.AverageLogProbability, 1e-5);
    }

    [Fact]
    public void Run_Sampling_IsReproducibleAndFollowsTheProbabilities()
    {
        var settings = new SearchSettings { MaxNewTokens = 1, EndToken = End, Temperature = 1.0 };
        var starts = Enumerable.Repeat(1, 20000).ToArray();
        var tokens = Search(starts, settings, seed: 5).Select(hypothesis => hypothesis.Tokens[0]).ToArray();
        Assert.Equal(tokens, Search(starts, settings, seed: 5).Select(hypothesis => hypothesis.Tokens[0]));
        Assert.NotEqual(tokens, Search(starts, settings, seed: 6).Select(hypothesis => hypothesis.Tokens[0]));
        Assert.Equal(0.5, tokens.Count(token => token == 2) / 20000.0, 0.02);
        Assert.Equal(0.1, tokens.Count(token => token == 0) / 20000.0, 0.01);

        // At half the temperature probabilities are squared: 0.25 / (0.01 + 0.04 + 0.25 + 0.04).
        var sharper = Search(starts, settings with { Temperature = 0.5 }, seed: 5).Count(hypothesis => hypothesis.Tokens[0] == 2);
        Assert.Equal(0.25 / 0.34, sharper / 20000.0, 0.02);

        // The two best only: 0.5 against 0.2, the lower id of equal ones.
        var best = Search(starts, settings with { TopK = 2 }, seed: 5).Select(hypothesis => hypothesis.Tokens[0]).ToArray();
        Assert.Equal([1, 2], best.Distinct().Order());
        Assert.Equal(0.5 / 0.7, best.Count(token => token == 2) / 20000.0, 0.02);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Run_MoreSteps_AllocateNoMore(int beams)
    {
        // What a search allocates depends on the limit of its length; a step adds but a token and its probability to the results.
        _ = Allocated(beams, 3);
        var few = Allocated(beams, 20);
        var many = Allocated(beams, 300);
        Assert.True(many - few < (beams * 280 * (sizeof(int) + sizeof(float))) + 1024, $"{few} bytes in 20 steps, {many} in 300.");
    }

    private static long Allocated(int beams, int steps)
    {
        var settings = new SearchSettings { MaxNewTokens = 400, EndToken = End, Beams = beams, EarlyStopping = EarlyStopping.WhenFull };
        var scorer = new SilentScorer(4 * beams, beams);

        // The end is forbidden until the step, and then all that is allowed.
        void Rule(Span<float> scores, ReadOnlySpan<int> generated)
        {
            if (generated.Length + 1 < steps)
            {
                scores[End] = float.NegativeInfinity;
            }
            else
            {
                scores[(End + 1)..].Fill(-1000f);
            }
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var length = beams > 1
            ? BeamSearch.Run(scorer, 1, settings, Rule, default)[0][0].Tokens.Length
            : RowSearch.Run(scorer, 1, settings, Rule, new Random(1), default)[0].Tokens.Length;
        Assert.Equal(steps, length);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static Hypothesis[] Search(int[] starts, SearchSettings settings, TokenRule? rule = null, int seed = 1) =>
        RowSearch.Run(new BigramScorer(Table, starts), starts.Length, settings, rule ?? ((_, _) => { }), new Random(seed), default);

    private static float[] Row(params float[] probabilities) => Array.ConvertAll(probabilities, MathF.Log);

    // Gives the same scores at every step and allocates nothing.
    private sealed class SilentScorer(int vocabulary, int rows) : ITokenScorer
    {
        private readonly float[] _scores = new float[vocabulary * rows];

        public int VocabularySize => vocabulary;

        public Span<float> Start() => Fill(1);

        public Span<float> Next(ReadOnlySpan<int> parents, ReadOnlySpan<int> tokens) => Fill(parents.Length);

        private Span<float> Fill(int count)
        {
            for (var i = 0; i < count * vocabulary; i++)
            {
                _scores[i] = i % vocabulary;
            }

            return _scores.AsSpan(0, count * vocabulary);
        }
    }
}
