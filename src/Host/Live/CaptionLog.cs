using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Corrections;

namespace AsrPlatform.Host.Live;

/// <summary>The caption updates of one session, in sequence, and where viewers read them.</summary>
/// <remarks>
/// A viewer is a cursor into the log, not a queue of its own: it costs nothing while it waits, and one that lags is thinned when it
/// reads, not when something is published. Kept for good: committed and corrected updates. Tentative ones are kept while they are the
/// newest of their segment or among the last few. A lasting update is shown once the journal has it, and what follows it not before. Safe
/// for concurrent calls.
/// </remarks>
internal sealed class CaptionLog
{
    /// <summary>Sequences reserved at a time: a write for so many updates.</summary>
    private const int Reserve = 256;

    /// <summary>Sequences left when more are reserved, so that nothing waits for it.</summary>
    private const int ReserveWhenLeft = 64;

    private readonly Lock _gate = new();
    private readonly ISessionJournal? _journal;
    private readonly Action<AsrException>? _onFailure;
    private readonly CaptionUpdate[] _recent;

    /// <summary>Published but not yet shown, and the write that each waits for.</summary>
    private readonly Queue<(CaptionUpdate Update, Task Written)> _pending = new();

    /// <summary>The newest update of each segment that has one in <see cref="_pending"/>.</summary>
    private readonly Dictionary<long, CaptionUpdate> _pendingNewest = [];
    private readonly List<CaptionUpdate> _lasting = [];
    private readonly List<CaptionUpdate> _newest = [];
    private TaskCompletionSource _changed = NewSignal();
    private CaptionUpdate? _tentative;
    private readonly int _openRevisions;
    private readonly long _before; // sequences before the log began are not in _recent
    private Task _reserving = Task.CompletedTask;
    private bool _isComplete;
    private bool _isBroken;
    private string? _error;
    private long _last; // shown
    private long _given;
    private long _reserved;
    private long _reservedSafely;

    /// <param name="viewerQueue">Updates that a viewer may lag behind before it is thinned.</param>
    /// <param name="journal">Keeps what lasts, and what it has the log starts with; null: nothing is kept.</param>
    /// <param name="onFailure">Told, on any thread, that the journal failed: nothing more will be shown.</param>
    public CaptionLog(int viewerQueue, ISessionJournal? journal = null, Action<AsrException>? onFailure = null)
    {
        _recent = new CaptionUpdate[viewerQueue];
        _journal = journal;
        _onFailure = onFailure;
        if (journal?.History is { } history)
        {
            _last = _given = _reserved = _reservedSafely = _before = history.LastSequence;
            _lasting.AddRange(history.Captions);
            _newest.AddRange(history.Captions.GroupBy(caption => caption.SegmentId).OrderBy(segment => segment.Key).Select(segment => segment.MaxBy(caption => caption.Revision)!));

            // A segment that was open had at most this many revisions.
            _openRevisions = (int)(history.LastSequence - (history.Captions.Count == 0 ? 0 : history.Captions[^1].Sequence));
        }
    }

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

    /// <summary>Whether the journal failed: what is not shown yet is not kept.</summary>
    public bool IsBroken
    {
        get
        {
            lock (_gate)
            {
                return _isBroken;
            }
        }
    }

    /// <summary>Whether the session is over: nothing more is shown.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_gate)
            {
                return _isComplete;
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

    /// <summary>Publishes the next revision of a segment, and gives it its sequence and revision. It is shown as soon as the journal allows.</summary>
    /// <param name="update">The update; its sequence and revision are ignored. Its segment is the newest one or the one after it.</param>
    /// <exception cref="InvalidOperationException">It would change committed text, or leave a gap in the segments.</exception>
    public CaptionUpdate Publish(CaptionUpdate update)
    {
        lock (_gate)
        {
            (update, _) = Enqueue(update, null);
        }

        Show();
        return update;
    }

    /// <summary>Shows a person's text in place of a committed caption.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="corrections">Corrections that the session has.</param>
    /// <param name="maximum">Corrections that it may have.</param>
    /// <returns>The update that shows it, once it is kept; null when the session is over and the log takes nothing more.</returns>
    /// <exception cref="AsrException">As <see cref="CorrectionRules.Apply"/>, or it cannot be kept.</exception>
    public async Task<CaptionUpdate?> CorrectAsync(Correction correction, int corrections, int maximum)
    {
        CaptionUpdate update;
        Task written;
        lock (_gate)
        {
            if (_isComplete)
            {
                return null;
            }

            var caption = Newest(correction.SegmentId);
            (update, written) = Enqueue(CorrectionRules.Apply(correction, caption, _last, corrections, maximum), correction);
        }

        await written;
        Show();
        return update;
    }

    /// <summary>Takes the text of a correction that was deleted out of the updates that had it, and shows the one before it.</summary>
    /// <param name="withdrawal">What was done to the kept updates.</param>
    /// <returns>Ends when what is shown is kept, too.</returns>
    /// <exception cref="AsrException">It cannot be kept.</exception>
    public async Task WithdrawAsync(CaptionWithdrawal withdrawal)
    {
        await FlushAsync();
        lock (_gate)
        {
            var redacted = withdrawal.Redacted.ToHashSet();
            Redact(_recent);
            Redact(CollectionsMarshal.AsSpan(_lasting));
            Redact(CollectionsMarshal.AsSpan(_newest));
            if (withdrawal.IsShown && !_isComplete && Newest(withdrawal.SegmentId) is { } newest)
            {
                Enqueue(newest, null);
            }

            void Redact(Span<CaptionUpdate> updates)
            {
                foreach (ref var update in updates)
                {
                    if (update is not null && redacted.Contains(update.Sequence))
                    {
                        update = update with { Text = withdrawal.Text, Words = withdrawal.Words };
                    }
                }
            }
        }

        Show();
        await FlushAsync();
    }

    /// <summary>Waits until everything that was published is kept and shown.</summary>
    /// <exception cref="AsrException">It cannot be kept.</exception>
    public async Task FlushAsync()
    {
        while (true)
        {
            Task written;
            lock (_gate)
            {
                if (_pending.Count == 0)
                {
                    return;
                }

                written = _pending.Peek().Written;
            }

            await written;
            Show();
        }
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
                if (next is null && _isComplete && (_pending.Count == 0 || _isBroken))
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

            if (next.Sequence > Math.Max(cursor, _before) + 1)
            {
                onSkipped?.Invoke(next.Sequence - Math.Max(cursor, _before) - 1);
            }

            cursor = next.Sequence;
            yield return next;
        }
    }

    /// <summary>Gives the next sequence and revision, and starts to keep what lasts.</summary>
    private (CaptionUpdate Update, Task Written) Enqueue(CaptionUpdate update, Correction? correction)
    {
        var previous = Newest(update.SegmentId);
        var segments = _newest.Count + _pendingNewest.Keys.Count(segment => segment > _newest.Count);
        if (update.SegmentId < 1 || update.SegmentId > segments + 1)
        {
            throw new InvalidOperationException($"Segment {update.SegmentId} does not follow segment {segments}.");
        }

        if ((update.State == CaptionState.Corrected) != (previous is not null && previous.State != CaptionState.Tentative))
        {
            throw new InvalidOperationException($"Segment {update.SegmentId} cannot become {update.State}: it is {previous?.State.ToString() ?? "not there"}.");
        }

        var isOpenOne = previous is null && _given == _before;
        update = update with { Sequence = ++_given, Revision = (previous?.Revision ?? (isOpenOne ? _openRevisions : 0)) + 1 };
        _pendingNewest[update.SegmentId] = update;
        var written = Task.CompletedTask;
        if (_journal is not null)
        {
            // In this order: the journal's writes finish as they are called, so whoever sees this update sees its sequence reserved.
            if (_given + ReserveWhenLeft > _reserved)
            {
                _reserved = _given + Reserve;
                _reserving = ReserveAsync(_reserved);
            }

            written = update.State != CaptionState.Tentative
                ? _journal.WriteAsync(update, correction)
                : _given <= _reservedSafely ? Task.CompletedTask : _reserving;
        }

        _pending.Enqueue((update, written));
        if (!written.IsCompleted)
        {
            _ = ShowWhenAsync(written);
        }

        return (update, written);
    }

    private async Task ReserveAsync(long sequence)
    {
        await _journal!.ReserveAsync(sequence);
        lock (_gate)
        {
            _reservedSafely = sequence;
        }
    }

    private async Task ShowWhenAsync(Task written)
    {
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Show();
    }

    /// <summary>Shows what waits for nothing any more, in the order of sequences.</summary>
    private void Show()
    {
        TaskCompletionSource? changed = null;
        AsrException? failure = null;
        lock (_gate)
        {
            while (!_isBroken && _pending.TryPeek(out var next) && next.Written.IsCompleted)
            {
                if (!next.Written.IsCompletedSuccessfully)
                {
                    _isBroken = true;
                    var cause = next.Written.Exception!.InnerException!;
                    failure = cause as AsrException ?? new AsrException($"captions cannot be kept ({cause.GetType().Name})", cause);
                    break;
                }

                _pending.Dequeue();
                Show(next.Update);
                changed ??= _changed;
            }

            if (changed is not null)
            {
                _changed = NewSignal();
            }
        }

        changed?.SetResult();
        if (failure is not null)
        {
            _onFailure?.Invoke(failure);
        }
    }

    private void Show(CaptionUpdate update)
    {
        _last = update.Sequence;
        _recent[(int)(_last % _recent.Length)] = update;
        if (update.SegmentId > _newest.Count)
        {
            _newest.Add(update);
        }
        else
        {
            _newest[(int)update.SegmentId - 1] = update;
        }

        if (_pendingNewest[update.SegmentId].Sequence == update.Sequence)
        {
            _pendingNewest.Remove(update.SegmentId);
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
    }

    /// <summary>The newest update of a segment, shown or not.</summary>
    private CaptionUpdate? Newest(long segmentId) =>
        _pendingNewest.GetValueOrDefault(segmentId) ?? (segmentId >= 1 && segmentId <= _newest.Count ? _newest[(int)segmentId - 1] : null);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The next update for a viewer: the very next one while it keeps up, else the next one that is not superseded.</summary>
    private CaptionUpdate? After(long cursor)
    {
        if (cursor >= _last)
        {
            return null;
        }

        if (cursor >= _before && _last - cursor <= _recent.Length)
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
