using AsrPlatform.Whisper.Decoding.OpenAi;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Decoding.OpenAi;

public sealed class WindowSegmentsTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private const int The = 440;
    private const int Fox = 21026;

    private WhisperTokenizer Tokenizer => micro.Parts.Tokenizer;

    [Fact]
    public void Split_PairsOfTimestamps_StartsTheNextWindowAtTheLast()
    {
        var split = Split(At(0), The, At(1), At(1.5), Fox, At(2), At(2), The);

        Assert.Equal([(10.0, 11.0, " The"), (11.5, 12.0, " fox")], split.Segments.Select(segment => (segment.Start, segment.End, segment.Text)));
        Assert.Equal([At(1.5), Fox, At(2)], split.Segments[1].Tokens);
        Assert.Equal(200, split.UsedFrames);
        Assert.False(split.EndsWithSingleTimestamp);
    }

    [Fact]
    public void Split_SingleTimestampAtTheEnd_UsesTheWholeWindow()
    {
        var split = Split(At(0), The, At(1), At(1.5), Fox, At(2));

        Assert.Equal([(10.0, 11.0), (11.5, 12.0)], split.Segments.Select(segment => (segment.Start, segment.End)));
        Assert.Equal(2000, split.UsedFrames);
        Assert.True(split.EndsWithSingleTimestamp);
    }

    [Fact]
    public void Split_NoPairs_IsOneSegmentUpToTheLastTimestamp()
    {
        var split = Split(At(0), The, Fox, At(3));

        var segment = Assert.Single(split.Segments);
        Assert.Equal((10.0, 13.0, " The fox"), (segment.Start, segment.End, segment.Text));
        Assert.Equal(2000, split.UsedFrames);
    }

    [Fact]
    public void Split_NoTimestampButTheFirst_IsOneSegmentOfTheWholeWindow()
    {
        var split = Split(At(0), The, Fox);

        var segment = Assert.Single(split.Segments);
        Assert.Equal((10.0, 30.0), (segment.Start, segment.End));
        Assert.Equal(2000, split.UsedFrames);
    }

    [Fact]
    public void Split_NothingSampled_IsOneEmptySegment()
    {
        var split = Split();

        var segment = Assert.Single(split.Segments);
        Assert.Equal((10.0, 30.0, ""), (segment.Start, segment.End, segment.Text));
    }

    // A window of 20 s that starts at 10 s.
    private WindowSegments Split(params int[] tokens) => WindowSegments.Split(tokens, Tokenizer, 10, 2000, 100);

    private int At(double seconds) => Tokenizer.TimestampBegin + (int)Math.Round(seconds * 50);
}
