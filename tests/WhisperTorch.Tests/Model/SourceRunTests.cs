using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Tests.Model;

public sealed class SourceRunTests
{
    [Theory]
    [InlineData("0", "0:0:1:1")]
    [InlineData("3,3,3", "0:3:1:3")]
    [InlineData("0,1,2", "0:0:3:1")]
    [InlineData("0,0,1,1,2,2", "0:0:3:2")]
    [InlineData("0,0,1", "0:0:1:2 2:1:1:1")]
    [InlineData("1,0", "0:1:1:1 1:0:1:1")]
    [InlineData("0,0,1,1,1", "0:0:1:2 2:1:1:3")]
    [InlineData("2,3,3,4,4,0", "0:2:1:1 1:3:2:2 5:0:1:1")]
    public void Of_Rows_GivesTheFewestRuns(string sources, string expected)
    {
        var runs = SourceRun.Of([.. sources.Split(',').Select(int.Parse)]);
        Assert.Equal(expected, string.Join(' ', runs.Select(run => $"{run.FirstRow}:{run.FirstSource}:{run.Sources}:{run.RowsPerSource}")));
    }
}
