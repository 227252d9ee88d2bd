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
        Assert.Equal([1, 2, 3, 4, 5], OverlapMerger.Merge(sequences, [[0, 1, 2, 3], [2, 3, 4]]).Tokens);
        Assert.Equal([1, 2, 3, 4, 3, 4, 5], OverlapMerger.Merge(sequences, [[0, 1, 2, 3], [1, 2, 4]]).Tokens);
    }

    [Fact]
    public void Merge_NothingOrOneWindow_IsKept()
    {
        Assert.Empty(OverlapMerger.Merge([]).Tokens);
        Assert.Equal([7, 8], OverlapMerger.Merge([[7, 8]]).Tokens);
        Assert.Equal([7, 8, 9], OverlapMerger.Merge([[7], [], [8, 9]]).Tokens);
    }
}
