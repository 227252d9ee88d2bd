namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Joins what was heard in overlapping windows into segments, as transformers' pipeline does (<c>_decode_asr</c>).</summary>
/// <remarks>
/// Timestamps in the part that two windows share close no segment: the tokens on both sides are joined by
/// <see cref="OverlapMerger"/>, and the segment goes on in the next window. Windows without timestamps make one segment.
/// </remarks>
/// <param name="timestampBegin">Id of the timestamp 0.00.</param>
/// <param name="windowSeconds">The model's window.</param>
/// <param name="hasTimes">Whether the tokens have times; then only tokens in the order of time are taken for the same.</param>
internal sealed class WindowMerger(int timestampBegin, double windowSeconds, bool hasTimes)
{
    private const double SecondsPerTimestamp = 0.02;

    private readonly List<IReadOnlyList<HeardToken>> _open = []; // windows whose tokens no timestamp has closed
    private readonly List<MergedSegment> _segments = [];
    private double? _start;
    private double _offset; // of the next window without its left stride
    private bool _skip;

    /// <summary>Seconds that are heard.</summary>
    public double DoneSeconds => _offset;

    /// <summary>Adds the next window.</summary>
    /// <returns>The segments that are closed by it.</returns>
    public IReadOnlyList<MergedSegment> Add(HeardWindow window)
    {
        _segments.Clear();
        _offset -= window.StrideLeft;
        var firstOwn = window.StrideLeft > 0 ? (window.StrideLeft / SecondsPerTimestamp) + timestampBegin : timestampBegin;
        var lastOwn = FirstOfRightStride(window);
        var current = new List<HeardToken>();
        var (latest, beforeLatest, before) = (0.0, 0.0, 0.0); // the model may have heard the window in several steps, each from 0 on
        for (var i = 0; i < window.Tokens.Count; i++)
        {
            var token = window.Tokens[i];
            if (token.Id < timestampBegin)
            {
                current.Add(hasTimes ? token with { Start = Round(token.Start + _offset), End = Round(token.End + _offset) } : token);
                continue;
            }

            var timestamp = (token.Id - timestampBegin) * SecondsPerTimestamp;
            if (timestamp < latest)
            {
                var endedWithSingle = i >= 2 && !(window.Tokens[i - 1].Id >= timestampBegin && window.Tokens[i - 2].Id >= timestampBegin);
                before += endedWithSingle ? windowSeconds : beforeLatest;
                latest = endedWithSingle ? latest : beforeLatest;
            }

            beforeLatest = latest;
            latest = timestamp;
            var time = Round(timestamp + _offset + before);
            if (token.Id >= lastOwn)
            {
                // Timestamps come in pairs: the next one, which opens a segment, is left out as well.
                _skip = true;
            }
            else if (_skip || (_open.Count > 0 && token.Id < firstOwn))
            {
                _skip = false;
            }
            else if (_start is null)
            {
                _start = time;
            }
            else if (time != _start)
            {
                _open.Add(current);
                Close(time);
                current = [];
            }
        }

        _offset += window.Seconds - window.StrideRight;
        if (current.Count > 0)
        {
            _open.Add(current);
        }
        else if (!_open.Exists(tokens => tokens.Count > 0))
        {
            _open.Clear();
            _start = null;
        }

        return [.. _segments];
    }

    /// <summary>Ends the audio.</summary>
    /// <returns>What no timestamp has closed; null where nothing is left.</returns>
    public MergedSegment? Complete()
    {
        _segments.Clear();
        if (_open.Count > 0)
        {
            Close(null);
        }

        return _segments.FirstOrDefault();
    }

    // The first timestamp within the right stride, and at least the last one of all: it is always left out, since what follows it is cut.
    private int FirstOfRightStride(HeardWindow window)
    {
        var first = int.MaxValue;
        if (window.StrideRight <= 0)
        {
            return first;
        }

        for (var i = window.Tokens.Count - 1; i >= 0; i--)
        {
            var id = window.Tokens[i].Id;
            if (id < timestampBegin)
            {
                continue;
            }

            if (first != int.MaxValue && (id - timestampBegin) * SecondsPerTimestamp < window.Seconds - window.StrideRight)
            {
                break;
            }

            first = id;
        }

        return first;
    }

    private void Close(double? end)
    {
        var merged = OverlapMerger.Merge(
            [.. _open.Select(window => window.Select(token => token.Id).ToArray())],
            hasTimes ? [.. _open.Select(window => window.Select(token => (token.Start, token.End)).ToArray())] : null);
        _segments.Add(new MergedSegment(_start, end, [.. merged.Origins.Select(origin => _open[origin.Window][origin.Index])]));
        _open.Clear();
        _start = null;
    }

    private static double Round(double seconds) => Math.Round(seconds, 2);
}

/// <summary>A token that was heard in a window.</summary>
/// <param name="Id">The token.</param>
/// <param name="Start">When it starts, in seconds from the start of its window, after merging from that of the audio.</param>
/// <param name="End">When it ends; 0 as <paramref name="Start"/> where times were not asked for.</param>
/// <param name="Probability">Its probability, 0…1.</param>
/// <param name="Window">The window that was heard.</param>
/// <param name="Chunk">Number of the piece of audio that the window lies in, from 0.</param>
internal readonly record struct HeardToken(int Id, double Start, double End, double Probability, GeneratedWindow Window, int Chunk);

/// <summary>What was heard in a piece of audio.</summary>
/// <param name="Tokens">Text and timestamps.</param>
/// <param name="Seconds">Length of the piece, what it shares counted.</param>
/// <param name="StrideLeft">Seconds that the piece before has too.</param>
/// <param name="StrideRight">Seconds that the piece after it has too.</param>
internal sealed record HeardWindow(IReadOnlyList<HeardToken> Tokens, double Seconds, double StrideLeft, double StrideRight);

/// <summary>A segment of the whole.</summary>
/// <param name="Start">Start in seconds; null without timestamps.</param>
/// <param name="End">End in seconds; null where the model did not say it.</param>
/// <param name="Tokens">Its text.</param>
internal sealed record MergedSegment(double? Start, double? End, IReadOnlyList<HeardToken> Tokens);
