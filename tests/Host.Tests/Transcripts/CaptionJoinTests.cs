using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Tests.Transcripts;

public sealed class CaptionJoinTests
{
    [Fact]
    public void Utterances_OfSegmentsThatFollowEachOther_AreOneText() =>
        Assert.Equal(["one two three", "four"], CaptionJoin.Utterances([Caption("one", 0, 10), Caption("two three", 10, 20), Caption("", 20, 22), Caption("four", 25, 30)]));

    [Fact]
    public void Cues_OfLongSpeech_AreNoLongerThanTwoLinesOrSevenSecondsAndCrossNoPause()
    {
        var cues = CaptionJoin.Cues(
            [Caption("a", 0, 40), Caption("b", 40, 65), Caption("c", 65, 80), Caption(new string('d', 50), 80, 90), Caption(new string('e', 40), 90, 95), Caption("f", 99, 100)],
            sampleRateHz: 10).ToList();
        Assert.Equal([(0, 6.5), (6.5, 9), (9, 9.5), (9.9, 10)], cues.Select(cue => (cue.Start, cue.End)));
        Assert.Equal("a b", cues[0].Text);
    }

    private static CaptionUpdate Caption(string text, long start, long end) => new()
    {
        SessionId = "s",
        SegmentId = 1,
        Sequence = 1,
        Revision = 1,
        State = CaptionState.Committed,
        Text = text,
        StartSample = start,
        EndSample = end,
    };
}
