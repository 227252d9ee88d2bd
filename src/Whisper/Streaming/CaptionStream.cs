namespace AsrPlatform.Whisper.Streaming;

/// <summary>The text of one stream: what is committed, which only ever grows, and what may still change behind it.</summary>
/// <remarks>Not safe for concurrent calls. Bounded: it keeps the words of the window and the last tokens before it.</remarks>
/// <param name="policy">Decides what is final; the stream's from now on.</param>
public sealed class CaptionStream(IStreamingPolicy policy)
{
    /// <summary>Tokens kept of what left the window: above the 200 characters that whisper_streaming prompts with.</summary>
    private const int PreviousTokens = 112;

    /// <summary>Of a full window, the shares between which it is cut: enough goes to last a while, enough stays for context.</summary>
    private const double EarliestCut = 0.35;
    private const double LatestCut = 0.8;

    private readonly List<StreamWord> _committed = [];
    private readonly List<int> _previous = [];
    private string? _language;

    /// <summary>The policy.</summary>
    public IStreamingPolicy Policy => policy;

    /// <summary>Words of the window that are committed, in seconds of the stream.</summary>
    public IReadOnlyList<StreamWord> Committed => _committed;

    /// <summary>What a pass of this window is forced to begin with: <see cref="StreamPass.Forced"/>.</summary>
    public IReadOnlyList<int> Forced => policy.ForcesCommitted ? [.. _committed.SelectMany(word => word.Tokens)] : [];

    /// <summary>What was said before the window: <see cref="StreamPass.Previous"/>.</summary>
    public IReadOnlyList<int> Previous => [.. _previous];

    /// <summary>The utterance's language once some of it is committed: it was detected on that, and does not change within it.</summary>
    public string? Language => _language;

    /// <summary>What a pass adds, without committing any of it.</summary>
    /// <param name="hypothesis">Its result.</param>
    /// <param name="startSeconds">Start of its window in seconds of the stream.</param>
    /// <returns>The words behind the committed ones, in seconds of the stream.</returns>
    public IReadOnlyList<StreamWord> Preview(StreamHypothesis hypothesis, double startSeconds)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        return InOrder(policy.Continue(InStream(hypothesis, startSeconds), _committed));
    }

    /// <summary>Takes a pass over and commits what it settles.</summary>
    /// <param name="hypothesis">Its result.</param>
    /// <param name="startSeconds">Start of its window in seconds of the stream.</param>
    /// <param name="isFinal">The window ends there: everything is committed.</param>
    /// <returns>The words that became final, and those behind them that did not.</returns>
    public (IReadOnlyList<StreamWord> Committed, IReadOnlyList<StreamWord> Tentative) Step(StreamHypothesis hypothesis, double startSeconds, bool isFinal)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        var shifted = InStream(hypothesis, startSeconds);
        var words = InOrder(policy.Continue(shifted, _committed));
        var count = policy.Settle(words, shifted, startSeconds + hypothesis.Seconds, isFinal);
        var committed = words.Take(count).ToArray();
        _committed.AddRange(committed);
        if (_committed.Count > 0)
        {
            _language ??= hypothesis.Language;
        }

        return (committed, [.. words.Skip(count)]);
    }

    /// <summary>Where a window that has grown long is best cut: behind a committed word, at the longest pause.</summary>
    /// <param name="startSeconds">Start of the window in seconds of the stream.</param>
    /// <param name="endSeconds">End of its audio.</param>
    /// <returns>A moment between two words; null where nothing is committed that could go.</returns>
    public double? FindCut(double startSeconds, double endSeconds)
    {
        double? best = null;
        var longest = double.NegativeInfinity;
        var earliest = startSeconds + (EarliestCut * (endSeconds - startSeconds));
        var latest = startSeconds + (LatestCut * (endSeconds - startSeconds));
        for (var i = 0; i < _committed.Count; i++)
        {
            var end = _committed[i].End;
            var pause = (i + 1 < _committed.Count ? _committed[i + 1].Start : end) - end;
            if (end >= earliest && end <= latest && pause >= longest)
            {
                longest = pause;
                best = end + (Math.Max(pause, 0) / 2);
            }
        }

        return best;
    }

    /// <summary>Tells that the window starts later now: the words before that become what was said before.</summary>
    public void MoveTo(double startSeconds)
    {
        var gone = _committed.FindIndex(word => word.End > startSeconds);
        Forget(gone < 0 ? _committed.Count : gone);
    }

    /// <summary>Tells that the utterance is over: the next window begins another.</summary>
    public void End()
    {
        Forget(_committed.Count);
        _language = null;
        policy.Reset();
    }

    private void Forget(int count)
    {
        _previous.AddRange(_committed.Take(count).SelectMany(word => word.Tokens));
        _previous.RemoveRange(0, Math.Max(0, _previous.Count - PreviousTokens));
        _committed.RemoveRange(0, count);
    }

    private static StreamHypothesis InStream(StreamHypothesis hypothesis, double startSeconds) => hypothesis with
    {
        Words = [.. hypothesis.Words.Select(word => word with
        {
            Start = word.Start + startSeconds,
            End = word.End + startSeconds,
            AttendedTo = word.AttendedTo + startSeconds,
        })],
    };

    /// <summary>No word starts before the end of a committed one: passes differ in their times by some hundredths.</summary>
    private List<StreamWord> InOrder(IReadOnlyList<StreamWord> words)
    {
        var floor = _committed.Count > 0 ? _committed[^1].End : double.NegativeInfinity;
        var ordered = new List<StreamWord>(words.Count);
        foreach (var word in words)
        {
            var start = Math.Max(word.Start, floor);
            floor = Math.Max(word.End, start);
            ordered.Add(word with { Start = start, End = floor });
        }

        return ordered;
    }
}
