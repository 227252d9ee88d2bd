using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class OverlapMergerTests
{
    [Fact]
    public void Merge_Windows_EqualsTransformers()
    {
        foreach (var (line, row) in Fixtures.Lines("rules/merge_overlaps.jsonl").Index())
        {
            var sequences = row["sequences"]!.AsArray().Select(sequence => sequence!.AsArray().Select(id => id!.GetValue<int>()).ToArray()).ToArray();
            var expected = row["merged"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
            var merged = OverlapMerger.Merge(sequences);
            Assert.True(expected.SequenceEqual(merged.Tokens), $"Line {line} differs.");
            Assert.Equal(merged.Tokens, merged.Origins.Select(origin => sequences[origin.Window][origin.Index]));
        }
    }

    [Fact]
    public void Merge_TimesOutOfOrder_DoNotMatch()
    {
        int[][] sequences = [[1, 2, 3, 4], [3, 4, 5]];
        Assert.Equal([1, 2, 3, 4, 5], OverlapMerger.Merge(sequences, [Starting(0, 1, 2, 3), Starting(2, 3, 4)]).Tokens);
        Assert.Equal([1, 2, 3, 4, 3, 4, 5], OverlapMerger.Merge(sequences, [Starting(0, 1, 2, 3), Starting(1, 2, 4)]).Tokens);
    }

    [Fact]
    public void Merge_SameStarts_TheEndsDecide()
    {
        int[][] sequences = [[1, 2, 3], [2, 3, 4]];
        (double, double)[] left = [(0, 1), (1, 2), (1, 3)];
        Assert.Equal([1, 2, 3, 4], OverlapMerger.Merge(sequences, [left, [(1, 2), (1, 3), (3, 4)]]).Tokens);
        Assert.Equal([1, 2, 3, 2, 3, 4], OverlapMerger.Merge(sequences, [left, [(1, 1.5), (1, 3), (3, 4)]]).Tokens);
    }

    private static (double Start, double End)[] Starting(params double[] starts) => Array.ConvertAll(starts, start => (start, start + 1));

    [Fact]
    public void Merge_NothingOrOneWindow_IsKept()
    {
        Assert.Empty(OverlapMerger.Merge([]).Tokens);
        Assert.Equal([7, 8], OverlapMerger.Merge([[7, 8]]).Tokens);
        Assert.Equal([7, 8, 9], OverlapMerger.Merge([[7], [], [8, 9]]).Tokens);
    }
}
