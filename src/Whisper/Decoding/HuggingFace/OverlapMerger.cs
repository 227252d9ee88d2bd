namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Joins the tokens of overlapping windows, as transformers' pipeline does.</summary>
public static class OverlapMerger
{
    // Prefers the longer of two overlaps that agree equally well.
    private const double LengthBonus = 1e-4;

    /// <summary>Merges windows in order.</summary>
    /// <param name="sequences">Tokens of each window; each overlaps its neighbours in time.</param>
    /// <param name="times">
    /// Start and end of each token of each window, on one clock. When given, two equal tokens only match where the left one is not later:
    /// by its start, then by its end.
    /// </param>
    /// <returns>The merged tokens, and for each the window and place that it comes from.</returns>
    /// <remarks>
    /// Two windows are slid over each other; the offset with the highest share of equal tokens wins if it has at least two. Of the
    /// overlap the left half comes from the left window and the right half from the right one, because a model knows the middle of its
    /// window best. Without such an offset the windows are put one after the other.
    /// </remarks>
    public static MergedTokens Merge(IReadOnlyList<int[]> sequences, IReadOnlyList<(double Start, double End)[]>? times = null)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        var tokens = new List<int>();
        var origins = new List<(int Window, int Index)>();
        var start = 0; // of what is left of the left window
        for (var window = 0; window < sequences.Count; window++)
        {
            var left = sequences[window].AsSpan(start);
            var leftEnd = left.Length;
            var rightStart = 0;
            if (window + 1 < sequences.Count)
            {
                (leftEnd, rightStart) = Cut(
                    left, times is null ? default : times[window].AsSpan(start), sequences[window + 1], times is null ? default : times[window + 1]);
            }

            for (var i = 0; i < leftEnd; i++)
            {
                tokens.Add(left[i]);
                origins.Add((window, start + i));
            }

            start = rightStart;
        }

        return new MergedTokens(tokens, origins);
    }

    // Where the left window is left and the right one entered.
    private static (int LeftEnd, int RightStart) Cut(
        ReadOnlySpan<int> left,
        ReadOnlySpan<(double Start, double End)> leftTimes,
        ReadOnlySpan<int> right,
        ReadOnlySpan<(double Start, double End)> rightTimes)
    {
        var best = 0.0;
        var cut = (left.Length, 0);

        // At each offset the last `offset` tokens of the left meet the first `offset` of the right, as far as both reach.
        for (var offset = 1; offset < left.Length + right.Length; offset++)
        {
            var leftStart = Math.Max(0, left.Length - offset);
            var rightStart = Math.Max(0, offset - left.Length);
            var length = Math.Min(left.Length, left.Length + right.Length - offset) - leftStart;
            var matches = 0;
            for (var i = 0; i < length; i++)
            {
                if (left[leftStart + i] == right[rightStart + i]
                    && (leftTimes.IsEmpty || leftTimes[leftStart + i].CompareTo(rightTimes[rightStart + i]) <= 0))
                {
                    matches++;
                }
            }

            var agreement = ((double)matches / offset) + (offset * LengthBonus);
            if (matches > 1 && agreement > best)
            {
                best = agreement;
                cut = (((2 * leftStart) + length) / 2, ((2 * rightStart) + length) / 2);
            }
        }

        return cut;
    }
}

/// <summary>Tokens merged from overlapping windows.</summary>
/// <param name="Tokens">The tokens.</param>
/// <param name="Origins">For each token its window and its place in that window.</param>
public sealed record MergedTokens(IReadOnlyList<int> Tokens, IReadOnlyList<(int Window, int Index)> Origins);
