namespace AsrPlatform.Whisper.Streaming;

/// <summary>LocalAgreement-2 (arXiv 2307.14743): words are final once two passes in a row agree on them.</summary>
public sealed class LocalAgreementPolicy : IStreamingPolicy
{
    /// <summary>A word that starts up to this much before the end of what is committed may still be new (whisper_streaming's 0.1 s).</summary>
    private const double Overlap = 0.1;

    /// <summary>A continuation that starts this close may repeat committed words (whisper_streaming's 1 s).</summary>
    private const double NearSeconds = 1;

    /// <summary>Longest run of words that is looked for twice.</summary>
    private const int LongestRun = 5;

    /// <summary>Words by which passes may differ before the end of what is committed.</summary>
    private const int MostMoved = 2;

    private IReadOnlyList<StreamWord> _previous = [];

    /// <inheritdoc />
    public string Name => "localagreement";

    /// <inheritdoc />
    public bool CommitsWhileSpeaking => true;

    /// <inheritdoc />
    public bool ForcesCommitted => false;

    /// <inheritdoc />
    public IReadOnlyList<StreamWord> Continue(StreamHypothesis hypothesis, IReadOnlyList<StreamWord> committed)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        ArgumentNullException.ThrowIfNull(committed);
        if (committed.Count == 0)
        {
            return hypothesis.Words;
        }

        if (hypothesis.Words.Any(word => !word.IsTimed) && EndOf(committed, hypothesis.Words) is { } known)
        {
            return [.. hypothesis.Words.Skip(known)];
        }

        var end = committed[^1].End;
        var words = hypothesis.Words.SkipWhile(word => word.Start <= end - Overlap).ToList();
        if (words.Count > 0 && words[0].Start < end + NearSeconds)
        {
            for (var run = Math.Min(LongestRun, Math.Min(words.Count, committed.Count)); run > 0; run--)
            {
                if (words.Take(run).Zip(committed.Skip(committed.Count - run), SameText).All(same => same))
                {
                    words.RemoveRange(0, run);
                    break;
                }
            }
        }

        return words;
    }

    /// <inheritdoc />
    public int Settle(IReadOnlyList<StreamWord> continuation, StreamHypothesis hypothesis, double endSeconds, bool isFinal)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        if (isFinal)
        {
            return continuation.Count;
        }

        var agreed = 0;
        while (agreed < continuation.Count && agreed < _previous.Count && !continuation[agreed].Repeats && !continuation[agreed].MayGrow && SameText(continuation[agreed], _previous[agreed]))
        {
            agreed++;
        }

        _previous = [.. continuation.Skip(agreed)];
        return agreed;
    }

    /// <inheritdoc />
    public void Reset() => _previous = [];

    /// <summary>Where the text of the committed words ends in words without times: their last ones, near the place where they should be.</summary>
    private static int? EndOf(IReadOnlyList<StreamWord> committed, IReadOnlyList<StreamWord> words)
    {
        for (var run = Math.Min(LongestRun, committed.Count); run > 0; run--)
        {
            for (var distance = 0; distance <= MostMoved; distance++)
            {
                foreach (var end in (int[])[committed.Count - distance, committed.Count + distance])
                {
                    if (end >= run
                        && end <= words.Count
                        && words.Skip(end - run).Take(run).Zip(committed.Skip(committed.Count - run), SameText).All(same => same))
                    {
                        return end;
                    }
                }
            }
        }

        return null;
    }

    private static bool SameText(StreamWord left, StreamWord right) => string.Equals(left.Text.Trim(), right.Text.Trim(), StringComparison.Ordinal);
}
