using System.Text.Json;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Text;
using FsCheck;
using FsCheck.Fluent;

namespace AsrPlatform.Whisper.Tests.Text;

public class WordErrorRateTests
{
    [Fact]
    public void Measure_EveryPairOfTheCorpus_IsAsJiwer()
    {
        var count = 0;
        foreach (var line in Fixtures.Lines("metrics/wer.jsonl"))
        {
            var counts = WordErrorRate.Measure((string)line["reference"]!, (string)line["hypothesis"]!);
            Assert.Equal((double)line["wer"]!, counts.WordErrorRate, 12);
            Assert.Equal((double)line["cer"]!, counts.CharacterErrorRate, 12);
            Assert.Equal(
                [(long)line["hits"]!, (long)line["substitutions"]!, (long)line["deletions"]!, (long)line["insertions"]!],
                [counts.Hits, counts.Substitutions, counts.Deletions, counts.Insertions]);
            count++;
        }

        Assert.Equal(400, count);
    }

    [Fact]
    public void Align_EveryPairOfTheCorpus_TakesJiwersOfTheBestAlignments()
    {
        foreach (var line in Fixtures.Lines("metrics/wer.jsonl"))
        {
            var spans = WordErrorRate.Align((string)line["reference"]!, (string)line["hypothesis"]!).Spans.Select(span => new object[]
            {
                JsonNamingPolicy.CamelCase.ConvertName(span.Kind.ToString()), span.ReferenceStart, span.ReferenceEnd, span.HypothesisStart, span.HypothesisEnd,
            });
            Assert.Equal(line["alignment"]!.ToJsonString(), JsonSerializer.Serialize(spans));
        }
    }

    [Fact]
    public void Measure_WholeCorpus_IsAsJiwer()
    {
        var pairs = Fixtures.Lines("metrics/wer.jsonl").Select(line => ((string)line["reference"]!, (string)line["hypothesis"]!));
        var counts = WordErrorRate.Measure(pairs);
        using var expected = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("metrics/wer_corpus.json")));
        var root = expected.RootElement;
        Assert.Equal(root.GetProperty("wer").GetDouble(), counts.WordErrorRate, 12);
        Assert.Equal(root.GetProperty("cer").GetDouble(), counts.CharacterErrorRate, 12);
        Assert.Equal(root.GetProperty("hits").GetInt64(), counts.Hits);
        Assert.Equal(root.GetProperty("substitutions").GetInt64(), counts.Substitutions);
        Assert.Equal(root.GetProperty("deletions").GetInt64(), counts.Deletions);
        Assert.Equal(root.GetProperty("insertions").GetInt64(), counts.Insertions);
    }

    [Theory]
    [InlineData("", "", 0, 0)]
    [InlineData("", "two words", 2, 9)]
    [InlineData("two words", "", 1, 1)]
    [InlineData("a  b", "a b", 0, 0.25)]
    [InlineData(" a\tb ", "a b", 2, 1 / 3.0)]
    [InlineData("a\t\tb\n", "a b", 0, 0.5)]
    [InlineData("😀", "😁", 1, 1)]
    public void Measure_SpacesAndEmptySides_AreAsJiwer(string reference, string hypothesis, double wer, double cer)
    {
        var counts = WordErrorRate.Measure(reference, hypothesis);
        Assert.Equal(wer, counts.WordErrorRate, 12);
        Assert.Equal(cer, counts.CharacterErrorRate, 12);
    }

    [Fact]
    public void Align_AnySequences_HasTheDistanceOfThePlainRecurrence()
    {
        var sequence = Gen.Choose(0, 4).ArrayOf();
        Prop.ForAll(sequence.Two().ToArbitrary(), pair =>
        {
            var (reference, hypothesis) = pair;
            var distance = PlainDistance(reference, hypothesis);
            return EditAlignment.Distance(reference, hypothesis) == distance && CostOf(EditAlignment.Align(reference, hypothesis), reference, hypothesis) == distance;
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(1000)]
    public void Distance_LengthsAroundABlock_IsThatOfThePlainRecurrence(int length)
    {
        var random = new Random(length);
        var reference = Enumerable.Range(0, length).Select(_ => random.Next(30)).ToArray();
        var hypothesis = Enumerable.Range(0, length + random.Next(20)).Select(_ => random.Next(30)).ToArray();
        var distance = PlainDistance(reference, hypothesis);
        Assert.Equal(distance, EditAlignment.Distance(reference, hypothesis));
        Assert.Equal(distance, CostOf(EditAlignment.Align(reference, hypothesis), reference, hypothesis));
    }

    [Fact]
    public void Align_LongSequences_IsBestInLittleMemory()
    {
        var random = new Random(7);
        var reference = Enumerable.Range(0, 12_000).Select(_ => random.Next(500)).ToArray();
        var hypothesis = reference.Where(_ => random.Next(10) > 0).Select(symbol => random.Next(10) > 0 ? symbol : random.Next(500)).ToArray();
        _ = EditAlignment.Align([1, 2], [2, 1]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var spans = EditAlignment.Align(reference, hypothesis);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(EditAlignment.Distance(reference, hypothesis), CostOf(spans, reference, hypothesis));

        // The matrix alone would be 36 MB of bits, and 576 MB of integers.
        Assert.InRange(allocated, 0, 60L << 20);
    }

    private static int CostOf(List<EditSpan> spans, int[] reference, int[] hypothesis)
    {
        var (row, column, cost) = (0, 0, 0);
        foreach (var span in spans)
        {
            Assert.Equal((row, column), (span.ReferenceStart, span.HypothesisStart));
            (row, column) = (span.ReferenceEnd, span.HypothesisEnd);
            var (rows, columns) = (row - span.ReferenceStart, column - span.HypothesisStart);
            switch (span.Kind)
            {
                case EditKind.Equal:
                    Assert.Equal(reference[span.ReferenceStart..row], hypothesis[span.HypothesisStart..column]);
                    break;
                case EditKind.Substitute:
                    Assert.Equal(rows, columns);
                    break;
                case EditKind.Delete:
                    Assert.Equal(0, columns);
                    break;
                default:
                    Assert.Equal(0, rows);
                    break;
            }

            cost += span.Kind == EditKind.Equal ? 0 : Math.Max(rows, columns);
        }

        Assert.Equal((reference.Length, hypothesis.Length), (row, column));
        return cost;
    }

    private static int PlainDistance(int[] reference, int[] hypothesis)
    {
        var costs = Enumerable.Range(0, hypothesis.Length + 1).ToArray();
        for (var row = 1; row <= reference.Length; row++)
        {
            var diagonal = costs[0]++;
            for (var column = 1; column <= hypothesis.Length; column++)
            {
                var substituted = diagonal + (reference[row - 1] == hypothesis[column - 1] ? 0 : 1);
                diagonal = costs[column];
                costs[column] = Math.Min(substituted, Math.Min(costs[column], costs[column - 1]) + 1);
            }
        }

        return costs[^1];
    }
}
