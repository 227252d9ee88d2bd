using System.Numerics;

namespace AsrPlatform.Whisper.Text;

/// <summary>What became of a stretch of the reference in the hypothesis.</summary>
public enum EditKind
{
    /// <summary>The same on both sides.</summary>
    Equal,

    /// <summary>As many others instead.</summary>
    Substitute,

    /// <summary>Missing in the hypothesis.</summary>
    Delete,

    /// <summary>Not in the reference.</summary>
    Insert,
}

/// <summary>A stretch of an alignment: half-open ranges of positions, one of them empty for a deletion or an insertion.</summary>
/// <param name="Kind">What became of it.</param>
/// <param name="ReferenceStart">First position in the reference.</param>
/// <param name="ReferenceEnd">Position after the last one in the reference.</param>
/// <param name="HypothesisStart">First position in the hypothesis.</param>
/// <param name="HypothesisEnd">Position after the last one in the hypothesis.</param>
public readonly record struct EditSpan(EditKind Kind, int ReferenceStart, int ReferenceEnd, int HypothesisStart, int HypothesisEnd);

/// <summary>
/// Levenshtein distance and alignment of two sequences of symbols, 64 cells at a time (Hyyrö 2003, "A bit-vector algorithm for computing
/// Levenshtein and Damerau edit distances").
/// </summary>
/// <remarks>
/// Time is n·m/64. Memory is linear: an alignment keeps the bit matrix while it is below a mebibyte, and splits larger tasks in two
/// (Hirschberg 1975). Of several best alignments it gives the one that rapidfuzz, and so jiwer, gives (for tasks below the mebibyte).
/// </remarks>
internal static class EditAlignment
{
    private const long MatrixBits = 8L * 1024 * 1024;

    /// <summary>The least number of substitutions, deletions and insertions.</summary>
    public static int Distance(ReadOnlySpan<int> reference, ReadOnlySpan<int> hypothesis)
    {
        Trim(ref reference, ref hypothesis);
        if (reference.IsEmpty || hypothesis.IsEmpty)
        {
            return Math.Max(reference.Length, hypothesis.Length);
        }

        var column = new Column(reference);
        foreach (var symbol in hypothesis)
        {
            column.Advance(symbol);
        }

        return column.Bottom(hypothesis.Length);
    }

    /// <summary>A best alignment, as stretches that cover both sequences in order.</summary>
    public static List<EditSpan> Align(ReadOnlySpan<int> reference, ReadOnlySpan<int> hypothesis)
    {
        var spans = new List<EditSpan>();
        Align(reference, 0, hypothesis, 0, spans);
        return spans;
    }

    private static void Align(ReadOnlySpan<int> reference, int referenceStart, ReadOnlySpan<int> hypothesis, int hypothesisStart, List<EditSpan> spans)
    {
        var prefix = reference.CommonPrefixLength(hypothesis);
        Add(spans, EditKind.Equal, referenceStart, prefix, hypothesisStart, prefix);
        reference = reference[prefix..];
        hypothesis = hypothesis[prefix..];
        referenceStart += prefix;
        hypothesisStart += prefix;
        var suffix = CommonSuffixLength(reference, hypothesis);
        reference = reference[..^suffix];
        hypothesis = hypothesis[..^suffix];

        // The limits are rapidfuzz's, so that the choice among equals is too.
        if (2L * reference.Length * hypothesis.Length < MatrixBits || reference.Length < 65 || hypothesis.Length < 10)
        {
            AlignByMatrix(reference, referenceStart, hypothesis, hypothesisStart, spans);
        }
        else
        {
            var half = hypothesis.Length / 2;
            var split = BestSplit(reference, hypothesis, half);
            Align(reference[..split], referenceStart, hypothesis[..half], hypothesisStart, spans);
            Align(reference[split..], referenceStart + split, hypothesis[half..], hypothesisStart + half, spans);
        }

        Add(spans, EditKind.Equal, referenceStart + reference.Length, suffix, hypothesisStart + hypothesis.Length, suffix);
    }

    private static void AlignByMatrix(ReadOnlySpan<int> reference, int referenceStart, ReadOnlySpan<int> hypothesis, int hypothesisStart, List<EditSpan> spans)
    {
        var row = reference.Length;
        var column = hypothesis.Length;
        var edits = new Stack<EditKind>();
        if (row > 0 && column > 0)
        {
            var state = new Column(reference);
            var blocks = state.Up.Length;

            // One line per symbol of the hypothesis: where the cost rises (up) and falls (down) by one along the reference.
            var up = new ulong[(long)blocks * hypothesis.Length];
            var down = new ulong[(long)blocks * hypothesis.Length];
            for (var index = 0; index < hypothesis.Length; index++)
            {
                state.Advance(hypothesis[index]);
                state.Up.CopyTo(up, index * blocks);
                state.Down.CopyTo(down, index * blocks);
            }

            while (row > 0 && column > 0)
            {
                if (Bit(up, ((column - 1) * blocks * 64L) + row - 1))
                {
                    edits.Push(EditKind.Delete);
                    row--;
                    continue;
                }

                column--;
                if (column > 0 && Bit(down, ((column - 1) * blocks * 64L) + row - 1))
                {
                    edits.Push(EditKind.Insert);
                    continue;
                }

                row--;
                edits.Push(reference[row] == hypothesis[column] ? EditKind.Equal : EditKind.Substitute);
            }
        }

        for (; row > 0; row--)
        {
            edits.Push(EditKind.Delete);
        }

        for (; column > 0; column--)
        {
            edits.Push(EditKind.Insert);
        }

        foreach (var edit in edits)
        {
            var inReference = edit == EditKind.Insert ? 0 : 1;
            var inHypothesis = edit == EditKind.Delete ? 0 : 1;
            Add(spans, edit, referenceStart, inReference, hypothesisStart, inHypothesis);
            referenceStart += inReference;
            hypothesisStart += inHypothesis;
        }
    }

    /// <summary>Where the reference is cut when the hypothesis is cut at its half, at the least cost.</summary>
    private static int BestSplit(ReadOnlySpan<int> reference, ReadOnlySpan<int> hypothesis, int half)
    {
        var left = new Column(reference);
        foreach (var symbol in hypothesis[..half])
        {
            left.Advance(symbol);
        }

        var backwards = reference.ToArray();
        Array.Reverse(backwards);
        var right = new Column(backwards);
        for (var index = hypothesis.Length - 1; index >= half; index--)
        {
            right.Advance(hypothesis[index]);
        }

        var leftCosts = left.Costs(half);
        var rightCosts = right.Costs(hypothesis.Length - half);
        var best = 0;
        for (var split = 1; split <= reference.Length; split++)
        {
            if (leftCosts[split] + rightCosts[reference.Length - split] < leftCosts[best] + rightCosts[reference.Length - best])
            {
                best = split;
            }
        }

        return best;
    }

    private static void Add(List<EditSpan> spans, EditKind kind, int referenceStart, int inReference, int hypothesisStart, int inHypothesis)
    {
        if (inReference == 0 && inHypothesis == 0)
        {
            return;
        }

        if (spans.Count > 0 && spans[^1].Kind == kind)
        {
            spans[^1] = spans[^1] with { ReferenceEnd = referenceStart + inReference, HypothesisEnd = hypothesisStart + inHypothesis };
        }
        else
        {
            spans.Add(new EditSpan(kind, referenceStart, referenceStart + inReference, hypothesisStart, hypothesisStart + inHypothesis));
        }
    }

    private static void Trim(ref ReadOnlySpan<int> first, ref ReadOnlySpan<int> second)
    {
        var prefix = first.CommonPrefixLength(second);
        first = first[prefix..];
        second = second[prefix..];
        var suffix = CommonSuffixLength(first, second);
        first = first[..^suffix];
        second = second[..^suffix];
    }

    private static int CommonSuffixLength(ReadOnlySpan<int> first, ReadOnlySpan<int> second)
    {
        var length = 0;
        while (length < first.Length && length < second.Length && first[^(length + 1)] == second[^(length + 1)])
        {
            length++;
        }

        return length;
    }

    private static bool Bit(ulong[] bits, long index) => ((bits[index >> 6] >> (int)(index & 63)) & 1) != 0;

    /// <summary>One column of the cost matrix: differences along the reference, as bits.</summary>
    private sealed class Column
    {
        private readonly int _length;
        private readonly int[] _positions;
        private readonly Dictionary<int, (int Start, int Count)> _occurrences;
        private readonly ulong[] _equal;

        public Column(ReadOnlySpan<int> reference)
        {
            _length = reference.Length;
            var blocks = (reference.Length + 63) / 64;
            Up = new ulong[blocks];
            Up.AsSpan().Fill(ulong.MaxValue);
            Down = new ulong[blocks];
            _equal = new ulong[blocks];

            // Positions grouped by symbol: a bit vector for each of many words would be quadratic.
            var symbols = reference.ToArray();
            _positions = new int[symbols.Length];
            for (var index = 0; index < _positions.Length; index++)
            {
                _positions[index] = index;
            }

            Array.Sort(symbols, _positions);
            _occurrences = [];
            for (var start = 0; start < symbols.Length;)
            {
                var end = start;
                while (end < symbols.Length && symbols[end] == symbols[start])
                {
                    end++;
                }

                _occurrences.Add(symbols[start], (start, end - start));
                start = end;
            }
        }

        /// <summary>Bit i: the cost at i + 1 is that at i plus one.</summary>
        public ulong[] Up { get; }

        /// <summary>Bit i: the cost at i + 1 is that at i minus one.</summary>
        public ulong[] Down { get; }

        /// <summary>Takes in the hypothesis's next symbol.</summary>
        public void Advance(int symbol)
        {
            var places = _occurrences.TryGetValue(symbol, out var found) ? _positions.AsSpan(found.Start, found.Count) : default;
            foreach (var place in places)
            {
                _equal[place >> 6] |= 1UL << (place & 63);
            }

            // The first row of the matrix rises by one with each symbol.
            var carryUp = 1UL;
            var carryDown = 0UL;
            for (var block = 0; block < _equal.Length; block++)
            {
                var up = Up[block];
                var down = Down[block];
                var equal = _equal[block] | carryDown;
                var diagonal = (((equal & up) + up) ^ up) | equal | down;
                var acrossUp = down | ~(diagonal | up);
                var acrossDown = diagonal & up;
                var nextUp = acrossUp >> 63;
                var nextDown = acrossDown >> 63;
                acrossUp = (acrossUp << 1) | carryUp;
                acrossDown = (acrossDown << 1) | carryDown;
                Up[block] = acrossDown | ~(diagonal | acrossUp);
                Down[block] = acrossUp & diagonal;
                (carryUp, carryDown) = (nextUp, nextDown);
            }

            foreach (var place in places)
            {
                _equal[place >> 6] = 0;
            }
        }

        /// <summary>The cost of the whole reference after so many symbols.</summary>
        public int Bottom(int symbols)
        {
            var cost = symbols;
            for (var block = 0; block < Up.Length; block++)
            {
                var rest = _length - (block * 64);
                var mask = rest >= 64 ? ulong.MaxValue : (1UL << rest) - 1;
                cost += BitOperations.PopCount(Up[block] & mask) - BitOperations.PopCount(Down[block] & mask);
            }

            return cost;
        }

        /// <summary>The costs of every prefix of the reference after so many symbols.</summary>
        public int[] Costs(int symbols)
        {
            var costs = new int[_length + 1];
            costs[0] = symbols;
            for (var index = 0; index < _length; index++)
            {
                costs[index + 1] = costs[index] + (Bit(Up, index) ? 1 : 0) - (Bit(Down, index) ? 1 : 0);
            }

            return costs;
        }
    }
}
