using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Live.Client;

namespace AsrPlatform.Host.Tests.Cli;

public sealed class StreamMeasuresTests
{
    private static readonly TimedWord[] Said = [new("the", 0.1, 0.3), new("fox", 0.4, 1), new("the", 5, 5.3)];

    [Fact]
    public void Latencies_CountFromTheEndOfTheWordInTheAudio()
    {
        // The model's own times are off, which changes nothing; the second "the" is another word than the first.
        SeenCaption[] seen =
        [
            Seen(1, CaptionState.Tentative, 0.8, ("the", 0.2), ("box", 0.5)),
            Seen(1, CaptionState.Tentative, 1.4, ("The", 0.2), ("fox.", 0.9)),
            Seen(1, CaptionState.Committed, 2.3, ("The", 0.2), ("fox.", 0.9)),
            Seen(2, CaptionState.Tentative, 5.4, ("the", 4.9)),
        ];
        var (tentative, committed) = StreamMeasures.Latencies(Said, seen);
        Assert.Equal([0.5, 0.4], tentative.Select(seconds => Math.Round(seconds, 6)));
        Assert.Equal([2, 1.3], committed.Select(seconds => Math.Round(seconds, 6)));
    }

    [Fact]
    public void ErasedWords_AreThoseThatWereShownAndWentAway()
    {
        SeenCaption[] seen =
        [
            Seen(1, CaptionState.Tentative, 1, ("the", 0), ("box", 1)),
            Seen(1, CaptionState.Tentative, 2, ("the", 0), ("fox", 1), ("jumps", 2)),

            // What is final takes its words; the rest goes on as it was.
            Seen(1, CaptionState.Committed, 3, ("the", 0), ("fox", 1)),
            Seen(2, CaptionState.Tentative, 3, ("jumps", 2), ("over", 3)),
        ];
        Assert.Equal(1, StreamMeasures.ErasedWords(seen));
    }

    private static SeenCaption Seen(long segment, CaptionState state, double at, params (string Text, double Start)[] words) => new(
        new CaptionUpdate
        {
            SessionId = "s",
            SegmentId = segment,
            Sequence = 1,
            Revision = 1,
            State = state,
            Text = string.Join(' ', words.Select(word => word.Text)),
            Words = [.. words.Select(word => new CaptionWord(word.Text, word.Start, word.Start + 0.1, 1))],
            StartSample = 0,
            EndSample = 1,
        },
        TimeSpan.FromSeconds(at),
        TimeSpan.Zero);
}
