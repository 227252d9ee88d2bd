using AsrPlatform.Whisper.Alignment;

namespace AsrPlatform.Whisper.Tests.Alignment;

public sealed class SegmentWordsTests
{
    private const int EndOfText = 100;

    [Fact]
    public void Assign_TwoSegments_SharesWordsByTheirTokens()
    {
        SegmentDraft[] segments = [Segment(10, 11, 3), Segment(11, 12, 1)];
        WordTiming[] timings = [Word(" a", 0.2, 0.4, 2), Word(" b", 0.4, 0.6), Word(" c", 1.0, 1.2)];

        SegmentWords.Assign(segments, timings, offsetSeconds: 10, EndOfText, lastSpeechEnd: 10);

        Assert.Equal([" a", " b"], segments[0].Words!.Select(word => word.Word));
        Assert.Equal([" c"], segments[1].Words!.Select(word => word.Word));
        Assert.Equal((10.2, 10.6), (segments[0].Start, segments[0].End));
        Assert.Equal((11.0, 11.2), (segments[1].Start, segments[1].End));
    }

    [Fact]
    public void Assign_LongWordAfterSentenceEnd_StartsLater()
    {
        SegmentDraft[] segments = [Segment(0, 6, 4)];
        WordTiming[] timings = [Word(" a", 0, 0.2), Word(".", 0.2, 1.4), Word(" b", 1.4, 5), Word(" c", 5, 5.2)];

        SegmentWords.Assign(segments, timings, 0, EndOfText, lastSpeechEnd: 0);

        // The median, 0.7, is that of 0.2, 0.2, 1.2 and 3.6: no word at a sentence's border is longer than 1.4 s.
        Assert.Equal([(0, 0.2), (3.6, 5), (5, 5.2)], segments[0].Words!.Select(word => (word.Start, word.End)));
    }

    [Fact]
    public void Assign_FirstWordsSwallowAPause_AreShortened()
    {
        SegmentDraft[] segments = [Segment(0, 12, 5)];
        WordTiming[] timings =
            [Word(" a", 0, 8), Word(" b", 8, 10), Word(" c", 10, 10.2), Word(" d", 10.2, 10.4), Word(" e", 10.4, 10.6)];

        SegmentWords.Assign(segments, timings, 0, EndOfText, lastSpeechEnd: 0);

        // Median 0.2: the border moves to 0.4 s before the second word's end, the first word starts 0.4 s before the border.
        Assert.Equal((9.2, 9.6), (Math.Round(segments[0].Words![0].Start, 6), Math.Round(segments[0].Words![0].End, 6)));
        Assert.Equal((9.6, 10), (Math.Round(segments[0].Words![1].Start, 6), segments[0].Words![1].End));
        Assert.Equal(9.2, segments[0].Start, 6);
    }

    [Fact]
    public void Assign_WordsReachFarOverTheSegment_KeepItsBorders()
    {
        SegmentDraft[] segments = [Segment(3, 4, 3)];
        WordTiming[] timings = [Word(" a", 2, 3.2), Word(" b", 3.2, 3.5), Word(" c", 3.5, 5.1)];

        SegmentWords.Assign(segments, timings, 0, EndOfText, lastSpeechEnd: 2);

        // Median 0.7 (of 1.2): the first word starts 0.7 s before its end, the last ends 0.7 s after its start.
        Assert.Equal((3.0, 4.0), (segments[0].Start, segments[0].End));
        Assert.Equal((2.5, 3.2), (segments[0].Words![0].Start, segments[0].Words![0].End));
        Assert.Equal((3.5, 4.2), (segments[0].Words![2].Start, segments[0].Words![2].End));
    }

    [Fact]
    public void Assign_NoTimings_GivesEmptyWords()
    {
        SegmentDraft[] segments = [Segment(1, 2, 0)];

        SegmentWords.Assign(segments, [], 0, EndOfText, lastSpeechEnd: 0);

        Assert.Empty(segments[0].Words!);
        Assert.Equal((1.0, 2.0), (segments[0].Start, segments[0].End));
    }

    // Timestamps around the given number of text tokens.
    private static SegmentDraft Segment(double start, double end, int textTokens) => new()
    {
        Start = start,
        End = end,
        Text = "text",
        Tokens = [EndOfText + 1, .. Enumerable.Repeat(1, textTokens), EndOfText + 2],
    };

    private static WordTiming Word(string word, double start, double end, int tokens = 1) =>
        new() { Word = word, TokenCount = tokens, Start = start, End = end, Probability = 0.5 };
}
