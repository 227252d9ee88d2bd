using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live;

public sealed class CaptionLogTests
{
    private readonly CaptionLog _log = new(viewerQueue: 8);
    private long _skipped;

    [Fact]
    public void Publish_NumbersUpdatesAndRevisionsWithoutGaps()
    {
        CaptionUpdate[] updates = [Publish(1), Publish(1), Publish(1, CaptionState.Committed), Publish(2), Publish(1, CaptionState.Corrected)];
        Assert.Equal([1L, 2, 3, 4, 5], updates.Select(update => update.Sequence));
        Assert.Equal([1, 2, 3, 1, 4], updates.Select(update => update.Revision));
    }

    [Theory]
    [InlineData(CaptionState.Tentative)]
    [InlineData(CaptionState.Committed)]
    public void Publish_OverCommittedText_IsRefused(CaptionState state)
    {
        Publish(1, CaptionState.Committed);
        Assert.Throws<InvalidOperationException>(() => Publish(1, state));
        Assert.Equal(1, _log.LastSequence);
    }

    [Fact]
    public void Publish_CorrectionOfTentativeText_IsRefused()
    {
        Publish(1);
        Assert.Throws<InvalidOperationException>(() => Publish(1, CaptionState.Corrected));
        Assert.Throws<InvalidOperationException>(() => Publish(3));
    }

    [Fact]
    public async Task Watch_FromAKnownSequence_ReplaysWhatFollowed()
    {
        Publish(1);
        Publish(1);
        Publish(1, CaptionState.Committed);
        Publish(2);
        _log.Complete();
        Assert.Equal([2L, 3, 4], (await ReadAsync(1)).Select(update => update.Sequence));
        Assert.Empty(await ReadAsync(4));
    }

    [Fact]
    public async Task Watch_FromZero_GivesTheNewestRevisionOfEachSegmentInSequence()
    {
        Publish(1);
        Publish(1, CaptionState.Committed);
        Publish(2);
        Publish(2, CaptionState.Committed);
        Publish(1, CaptionState.Corrected);
        Publish(3);
        _log.Complete();
        Assert.Equal(
            [(2L, 4L, CaptionState.Committed), (1L, 5L, CaptionState.Corrected), (3L, 6L, CaptionState.Tentative)],
            (await ReadAsync(0)).Select(update => (update.SegmentId, update.Sequence, update.State)));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    public async Task Watch_FromASequenceOfAnotherSession_IsRefused(long after)
    {
        Publish(1);
        var error = await Assert.ThrowsAsync<AsrException>(() => ReadAsync(after));
        Assert.Contains("watch from 0", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_ByASlowViewer_SkipsSupersededTentativeTextAndNothingElse()
    {
        Publish(1);
        await using var viewer = _log.WatchAsync(0, count => _skipped += count, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await viewer.MoveNextAsync());

        // While this viewer sleeps, ten segments of ten tentative updates each are committed.
        for (var segment = 1; segment <= 10; segment++)
        {
            for (var i = 0; i < 10; i++)
            {
                Publish(segment);
            }

            Publish(segment, CaptionState.Committed);
        }

        Publish(11);
        _log.Complete();
        List<CaptionUpdate> seen = [];
        while (await viewer.MoveNextAsync())
        {
            seen.Add(viewer.Current);
        }

        Assert.Equal(Enumerable.Range(1, 10).Select(segment => (long)segment), seen.Where(update => update.State == CaptionState.Committed).Select(update => update.SegmentId));
        Assert.Equal(seen.Select(update => update.Sequence).Order(), seen.Select(update => update.Sequence));
        Assert.InRange(seen.Count, 11, 10 + 8 + 1);
        Assert.Equal(112, 1 + seen.Count + _skipped);
        Assert.Equal(11, seen[^1].SegmentId);
    }

    [Fact]
    public async Task Watch_ByAViewerThatKeepsUp_SeesEverySequence()
    {
        var reading = ReadAsync(0);
        for (var segment = 1; segment <= 50; segment++)
        {
            Publish(segment);
            Publish(segment, CaptionState.Committed);
            await Task.Yield();
        }

        _log.Complete();
        var seen = await reading;
        Assert.Equal(Enumerable.Range(1, 50), seen.Where(update => update.State == CaptionState.Committed).Select(update => (int)update.SegmentId));
        Assert.Equal(100, seen.Count + _skipped);
    }

    [Fact]
    public async Task Watch_WhenTheSessionFailed_DeliversEverythingThenTheError()
    {
        Publish(1);
        _log.Complete("broken");
        List<CaptionUpdate> seen = [];
        var error = await Assert.ThrowsAsync<AsrException>(async () =>
        {
            await foreach (var update in _log.WatchAsync(0, null, TestContext.Current.CancellationToken))
            {
                seen.Add(update);
            }
        });
        Assert.Equal("broken", error.Message);
        Assert.Single(seen);
    }

    private CaptionUpdate Publish(long segment, CaptionState state = CaptionState.Tentative) => _log.Publish(new CaptionUpdate
    {
        SessionId = "s",
        SegmentId = segment,
        Sequence = 0,
        Revision = 0,
        State = state,
        Text = "text",
        StartSample = 0,
        EndSample = 1,
    });

    private async Task<List<CaptionUpdate>> ReadAsync(long after)
    {
        List<CaptionUpdate> updates = [];
        await foreach (var update in _log.WatchAsync(after, count => _skipped += count, TestContext.Current.CancellationToken))
        {
            updates.Add(update);
        }

        return updates;
    }
}
