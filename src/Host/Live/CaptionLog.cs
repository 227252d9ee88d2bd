using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;

namespace AsrPlatform.Host.Live;

/// <summary>The caption updates of one session, in sequence, and where viewers read them.</summary>
/// <remarks>
/// A viewer is a cursor into the log, not a queue of its own: it costs nothing while it waits, and one that lags is thinned when it
/// reads, not when something is published. Kept for good: committed and corrected updates. Tentative ones are kept while they are the
/// newest of their segment or among the last few. Safe for concurrent calls.
/// </remarks>
internal sealed class CaptionLog
{
    private readonly Lock _gate = new();
    private readonly CaptionUpdate[] _recent;
    private readonly List<CaptionUpdate> _lasting = [];
    private readonly List<CaptionUpdate> _newest = [];
    private TaskCompletionSource _changed = NewSignal();
    private CaptionUpdate? _tentative;
    private bool _isComplete;
    private string? _error;
    private long _last;

    /// <param name="viewerQueue">Updates that a viewer may lag behind before it is thinned.</param>
    public CaptionLog(int viewerQueue) => _recent = new CaptionUpdate[viewerQueue];

    /// <summary>Sequence of the newest update; 0 before the first.</summary>
    public long LastSequence
    {
        get
        {
            lock (_gate)
            {
                return _last;
            }
        }
    }

    /// <summary>Number of segments.</summary>
    public int Segments
    {
        get
        {
            lock (_gate)
            {
                return _newest.Count;
            }
        }
    }

    /// <summary>Publishes the next revision of a segment, and gives it its sequence and revision.</summary>
    /// <param name="update">The update; its sequence and revision are ignored. Its segment is the newest one or the one after it, or, for a correction, any.</param>
    /// <exception cref="InvalidOperationException">It would change committed text without being a correction, or leave a gap in the segments.</exception>
    public CaptionUpdate Publish(CaptionUpdate update)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            var index = update.SegmentId - 1;
            if (index < 0 || index > _newest.Count)
            {
                throw new InvalidOperationException($"Segment {update.SegmentId} does not follow segment {_newest.Count}.");
            }

            var previous = index < _newest.Count ? _newest[(int)index] : null;
            var isCorrection = update.State == CaptionState.Corrected;
            if (isCorrection != (previous is not null && previous.State != CaptionState.Tentative))
            {
                throw new InvalidOperationException($"Segment {update.SegmentId} cannot become {update.State}: it is {previous?.State.ToString() ?? "not there"}.");
            }

            update = update with { Sequence = _last + 1, Revision = (previous?.Revision ?? 0) + 1 };
            _last = update.Sequence;
            _recent[(int)(_last % _recent.Length)] = update;
            if (previous is null)
            {
                _newest.Add(update);
            }
            else
            {
                _newest[(int)index] = update;
            }

            if (update.State == CaptionState.Tentative)
            {
                _tentative = update;
            }
            else
            {
                _lasting.Add(update);
                _tentative = _tentative?.SegmentId == update.SegmentId ? null : _tentative;
            }

            changed = _changed;
            _changed = NewSignal();
        }

        changed.SetResult();
        return update;
    }

    /// <summary>The newest update of a segment; null when there is no such segment.</summary>
    public CaptionUpdate? Find(long segmentId)
    {
        lock (_gate)
        {
            return segmentId >= 1 && segmentId <= _newest.Count ? _newest[(int)segmentId - 1] : null;
        }
    }

    /// <summary>The newest revision of each segment, in the order of segments.</summary>
    public CaptionUpdate[] Newest()
    {
        lock (_gate)
        {
            return [.. _newest];
        }
    }

    /// <summary>Tells viewers that the session is over: their streams end once everything is delivered, with the error if there is one.</summary>
    public void Complete(string? error = null)
    {
        TaskCompletionSource changed;
        lock (_gate)
        {
            _isComplete = true;
            _error = error;
            changed = _changed;
            _changed = NewSignal();
        }

        changed.SetResult();
    }

    /// <summary>Reads the updates after a sequence, then follows until the session is over.</summary>
    /// <param name="afterSequence">
    /// 0: the newest revision of each segment first (a late viewer's snapshot). Else whatever followed that sequence, without what is
    /// superseded where it is too old.
    /// </param>
    /// <param name="onSkipped">Told how many superseded tentative updates a lagging viewer was spared.</param>
    /// <param name="cancellationToken">Ends the viewing.</param>
    /// <exception cref="AsrException">The sequence is none of this session; or, at the end, the session has failed.</exception>
    public async IAsyncEnumerable<CaptionUpdate> WatchAsync(
        long afterSequence,
        Action<long>? onSkipped,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var cursor = afterSequence;
        CaptionUpdate[] snapshot = [];
        lock (_gate)
        {
            if (afterSequence < 0 || afterSequence > _last)
            {
                throw new AsrException($"Sequence {afterSequence} is none of this session, whose newest is {_last}: watch from 0.");
            }

            if (afterSequence == 0)
            {
                snapshot = [.. _newest];
                cursor = _last;
            }
        }

        // In the order of sequences, so that a viewer dropped in the middle resumes without a loss.
        Array.Sort(snapshot, static (left, right) => left.Sequence.CompareTo(right.Sequence));
        foreach (var update in snapshot)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return update;
        }

        while (true)
        {
            CaptionUpdate? next;
            Task changed;
            lock (_gate)
            {
                next = After(cursor);
                changed = _changed.Task;
                if (next is null && _isComplete)
                {
                    if (_error is not null)
                    {
                        throw new AsrException(_error);
                    }

                    yield break;
                }
            }

            if (next is null)
            {
                await changed.WaitAsync(cancellationToken);
                continue;
            }

            if (next.Sequence > cursor + 1)
            {
                onSkipped?.Invoke(next.Sequence - cursor - 1);
            }

            cursor = next.Sequence;
            yield return next;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The next update for a viewer: the very next one while it keeps up, else the next one that is not superseded.</summary>
    private CaptionUpdate? After(long cursor)
    {
        if (cursor >= _last)
        {
            return null;
        }

        if (_last - cursor <= _recent.Length)
        {
            return _recent[(int)((cursor + 1) % _recent.Length)];
        }

        var low = 0;
        var high = _lasting.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_lasting[middle].Sequence > cursor)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        var lasting = low < _lasting.Count ? _lasting[low] : null;
        return _tentative is not null && _tentative.Sequence > cursor && (lasting is null || _tentative.Sequence < lasting.Sequence)
            ? _tentative
            : lasting;
    }
}
