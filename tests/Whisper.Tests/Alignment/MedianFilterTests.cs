using AsrPlatform.Tests;
using AsrPlatform.Whisper.Alignment;

namespace AsrPlatform.Whisper.Tests.Alignment;

public sealed class MedianFilterTests
{
    [Fact]
    public void Apply_EveryReferenceRow_GivesTheSameValues()
    {
        var count = 0;
        foreach (var row in Fixtures.Lines("rules/median_filter.jsonl"))
        {
            foreach (var (input, expected) in row["input"]!.AsArray().Zip(row["output"]!.AsArray()))
            {
                var values = input!.AsArray().Select(value => (float)value!).ToArray();
                var output = new float[values.Length];

                MedianFilter.Apply(values, (int)row["width"]!, output);

                Assert.Equal(expected!.AsArray().Select(value => (float)value!), output);
            }

            count++;
        }

        Assert.Equal(40, count);
    }

    [Fact]
    public void Apply_RowNoLongerThanHalfTheWindow_IsCopied()
    {
        var output = new float[3];

        MedianFilter.Apply([3, 1, 2], 7, output);

        Assert.Equal([3, 1, 2], output);
    }
}
