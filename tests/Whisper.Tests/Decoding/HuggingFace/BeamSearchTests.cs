using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class BeamSearchTests
{
    [Fact]
    public void Run_BigramTables_ReturnsTransformersSequencesAndScores()
    {
        var (different, total) = (0, 0);
        foreach (var (line, row) in Fixtures.Lines("rules/beam_search.jsonl").Index())
        {
            var table = Table(row);
            var start = row["start"]!.GetValue<int>();
            var settings = Settings(row);
            var found = BeamSearch.Run(new BigramScorer(table, [start]), 1, settings, (_, _) => { }, default)[0];

            var expected = row["sequences"]!.AsArray().Select(sequence => sequence!.AsArray().Select(id => id!.GetValue<int>()).ToArray()).ToArray();
            var scores = row["scores"]!.AsArray().Select(score => score!.GetValue<float>()).ToArray();
            var actual = found.Select(hypothesis => Pad([start, .. hypothesis.Tokens], expected[0].Length, settings.EndToken)).ToArray();
            Assert.Equal(expected.Length, actual.Length);
            for (var i = 0; i < found.Length; i++)
            {
                // A table that only knows the last token gives sequences of the same steps in another order the same probability: which
                // of those comes first, the last bit of PyTorch's exponentials and the order that its topk leaves equal values in decide.
                Assert.True(
                    expected[i].SequenceEqual(actual[i]) || Steps(expected[i]).SequenceEqual(Steps(actual[i])),
                    $"Line {line}: expected {Text(expected)}, found {Text(actual)}.");
                Assert.Equal(scores[i], found[i].Score!.Value, 1e-5f);
                total++;
                different += expected[i].SequenceEqual(actual[i]) ? 0 : 1;
            }
        }

        Assert.True(different < total / 10, $"{different} of {total} sequences are permutations.");
    }

    [Fact]
    public void Run_SeveralSequences_EqualEachAlone()
    {
        foreach (var row in Fixtures.Lines("rules/beam_search.jsonl").Take(20))
        {
            var table = Table(row);
            var settings = Settings(row);
            int[] starts = [1, 3, 5, 1];
            var together = BeamSearch.Run(new BigramScorer(table, starts), starts.Length, settings, (_, _) => { }, default);
            for (var i = 0; i < starts.Length; i++)
            {
                var alone = BeamSearch.Run(new BigramScorer(table, [starts[i]]), 1, settings, (_, _) => { }, default)[0];
                Assert.Equal(alone.Select(hypothesis => hypothesis.Tokens), together[i].Select(hypothesis => hypothesis.Tokens));
                Assert.Equal(alone.Select(hypothesis => hypothesis.Score), together[i].Select(hypothesis => hypothesis.Score));
            }
        }
    }

    [Fact]
    public void Run_OneBeam_IsGreedySearch()
    {
        foreach (var row in Fixtures.Lines("rules/beam_search.jsonl").Take(20))
        {
            var table = Table(row);
            var settings = Settings(row) with { Beams = 1, ReturnedSequences = 1, EarlyStopping = EarlyStopping.WhenFull };
            var beam = BeamSearch.Run(new BigramScorer(table, [1, 2]), 2, settings, (_, _) => { }, default);
            var greedy = RowSearch.Run(new BigramScorer(table, [1, 2]), 2, settings, (_, _) => { }, new Random(1), default);
            for (var i = 0; i < 2; i++)
            {
                Assert.Equal(greedy[i].Tokens, beam[i][0].Tokens);
                Assert.Equal(greedy[i].AverageLogProbability, beam[i][0].AverageLogProbability, 1e-5);
            }
        }
    }

    [Fact]
    public void Run_Cancelled_Stops()
    {
        var row = Fixtures.Lines("rules/beam_search.jsonl").First();
        using var source = new CancellationTokenSource();
        var steps = 0;
        var search = () => BeamSearch.Run(
            new BigramScorer(Table(row), [1]),
            1,
            Settings(row) with { EndToken = -1, MaxNewTokens = 100 },
            (_, generated) =>
            {
                steps = generated.Length;
                if (generated.Length == 3)
                {
                    source.Cancel();
                }
            },
            source.Token);
        Assert.ThrowsAny<OperationCanceledException>(search);
        Assert.Equal(3, steps);
    }

    private static IEnumerable<(int, int)> Steps(int[] sequence) => sequence.Zip(sequence.Skip(1)).Order();

    private static string Text(int[][] sequences) => string.Join(" | ", sequences.Select(sequence => string.Join(' ', sequence)));

    private static float[][] Table(JsonNode row) =>
        [.. row["table"]!.AsArray().Select(line => line!.AsArray().Select(value => value!.GetValue<float>()).ToArray())];

    private static SearchSettings Settings(JsonNode row) => new()
    {
        MaxNewTokens = row["max_length"]!.GetValue<int>() - 1,
        EndToken = row["eos"]!.GetValue<int>(),
        Beams = row["num_beams"]!.GetValue<int>(),
        ReturnedSequences = row["num_beams"]!.GetValue<int>(),
        LengthPenalty = row["length_penalty"]!.GetValue<double>(),
        EarlyStopping = row["early_stopping"]!.ToJsonString() switch
        {
            "true" => EarlyStopping.WhenFull,
            "false" => EarlyStopping.Heuristic,
            "\"never\"" => EarlyStopping.Never,
            var other => throw new NotSupportedException(other),
        },
    };

    private static int[] Pad(int[] tokens, int length, int padding) =>
        [.. tokens, .. Enumerable.Repeat(padding, Math.Max(0, length - tokens.Length))];
}
