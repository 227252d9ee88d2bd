using AsrPlatform.Tests;
using AsrPlatform.Whisper.Alignment;

namespace AsrPlatform.Whisper.Tests.Alignment;

public sealed class DynamicTimeWarpingTests
{
    [Fact]
    public void FindPath_EveryReferenceRow_GivesTheSamePath()
    {
        var count = 0;
        foreach (var row in Fixtures.Lines("rules/dtw.jsonl"))
        {
            var matrix = row["matrix"]!.AsArray();
            var cost = matrix.SelectMany(line => line!.AsArray().Select(value => (double)value!)).ToArray();

            var (rows, columns) = DynamicTimeWarping.FindPath(cost, matrix.Count, cost.Length / matrix.Count);

            Assert.Equal(row["text_indices"]!.AsArray().Select(value => (int)value!), rows);
            Assert.Equal(row["time_indices"]!.AsArray().Select(value => (int)value!), columns);
            count++;
        }

        Assert.Equal(60, count);
    }

    [Fact]
    public void FindPath_OneRowOrOneColumn_WalksItWhole()
    {
        var along = DynamicTimeWarping.FindPath([1, -1, 1], 1, 3);
        var down = DynamicTimeWarping.FindPath([1, -1, 1], 3, 1);

        Assert.Equal([0, 0, 0], along.Rows);
        Assert.Equal([0, 1, 2], along.Columns);
        Assert.Equal([0, 1, 2], down.Rows);
        Assert.Equal([0, 0, 0], down.Columns);
    }
}
