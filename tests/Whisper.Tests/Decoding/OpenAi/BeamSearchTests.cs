using AsrPlatform.Whisper.Decoding.OpenAi;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Tests.Decoding.OpenAi;

public sealed class BeamSearchTests
{
    private const int End = 0;

    [Fact]
    public void Search_RandomBigrams_FindsWhatAPlainSearchFinds()
    {
        var random = new Random(3);
        for (var trial = 0; trial < 200; trial++)
        {
            var vocabulary = random.Next(4, 12);
            var beams = random.Next(1, 5);
            var patience = new[] { 0.5, 1.0, 2.0 }[trial % 3];
            var maxTokens = random.Next(1, 8);
            var table = Enumerable.Range(0, vocabulary)
                .Select(_ => Enumerable.Range(0, vocabulary).Select(_ => (float)(random.NextDouble() * 4)).ToArray()).ToArray();
            double? penalty = trial % 2 == 0 ? null : random.NextDouble();

            var search = new BeamSearch(beams, patience, End, maxTokens, vocabulary);
            Run(search, table, maxTokens);
            var found = search.Finish();
            Run(search, table, maxTokens);

            var expected = PlainSearch(table, beams, patience, maxTokens);
            Assert.Equal(expected.Select(candidate => candidate.Tokens), found.Select(candidate => candidate.Tokens));
            Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First.Score, pair.Second.Score, 1e-5));
            Assert.Equal(found.Select(candidate => candidate.Score), search.Finish().Select(candidate => candidate.Score));
            Assert.Equal(Rank(expected, penalty), Candidate.Best(found, penalty).Tokens);
        }
    }

    [Fact]
    public void Extend_OnlyTheEndIsAllowed_EndsTheSearch()
    {
        var search = new BeamSearch(3, 1, End, 4, 5);
        search.Begin();

        search.Extend(0, [1, float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity]);
        search.Advance();

        Assert.True(search.Completed);
        var only = Assert.Single(search.Finish());
        Assert.Empty(only.Tokens);
        Assert.Equal(0, only.Score, 1e-6);
    }

    private static void Run(BeamSearch search, float[][] table, int maxTokens)
    {
        search.Begin();
        do
        {
            for (var row = 0; row < search.Rows; row++)
            {
                search.Extend(row, Logits(table, search.Tokens(row)));
            }

            search.Advance();
        }
        while (!search.Completed && search.Length < maxTokens);
    }

    // The text cannot begin with the end, as in Whisper.
    private static float[] Logits(float[][] table, ReadOnlySpan<int> tokens)
    {
        var logits = table[tokens.IsEmpty ? End : tokens[^1]].ToArray();
        if (tokens.IsEmpty)
        {
            logits[End] = float.NegativeInfinity;
        }

        return logits;
    }

    // OpenAI's rules, spelled out with lists and sorting.
    private static List<Candidate> PlainSearch(float[][] table, int beams, double patience, int maxTokens)
    {
        var wanted = Math.Max(1, (int)Math.Round(beams * patience));
        var beam = new List<Candidate> { new([], 0) };
        var ended = new List<Candidate>();
        for (var step = 0; step < maxTokens && ended.Count < wanted; step++)
        {
            var extensions = new List<Candidate>();
            foreach (var hypothesis in beam)
            {
                var logits = Logits(table, hypothesis.Tokens);
                var normaliser = LogProbabilities.LogSumExp(logits);
                extensions.AddRange(Enumerable.Range(0, logits.Length)
                    .Where(token => !float.IsNegativeInfinity(logits[token]))
                    .OrderByDescending(token => logits[token])
                    .Take(beams + 1)
                    .Select(token => new Candidate([.. hypothesis.Tokens, token], hypothesis.Score + logits[token] - normaliser)));
            }

            var next = new List<Candidate>();
            var newlyEnded = new List<Candidate>();
            foreach (var extension in extensions.OrderByDescending(extension => extension.Score))
            {
                (extension.Tokens[^1] == End ? newlyEnded : next).Add(extension);
                if (next.Count == beams)
                {
                    break;
                }
            }

            ended.AddRange(newlyEnded.Take(wanted - ended.Count).Select(candidate => candidate with { Tokens = candidate.Tokens[..^1] }));
            beam = next;
        }

        ended.AddRange(beam.OrderByDescending(candidate => candidate.Score).Take(Math.Max(0, beams - ended.Count)));
        return ended;
    }

    private static int[] Rank(List<Candidate> candidates, double? penalty) =>
        candidates.MaxBy(candidate => candidate.Score
            / (penalty is { } exponent ? Math.Pow((5.0 + candidate.Tokens.Length) / 6, exponent) : candidate.Tokens.Length)).Tokens;
}
