using System.Collections.Concurrent;
using System.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>Byte-level byte-pair encoding of one piece of text: adjacent tokens are merged, lowest rank first, leftmost first among equals.</summary>
/// <remarks>Safe for concurrent calls. Time is n·log n in the length of a piece; short pieces are remembered, up to a fixed number.</remarks>
internal sealed class BytePairEncoder
{
    /// <summary>Bounds of the cache: pieces, and characters a piece (the same order as in the tokenizers library: 10,000 pieces).</summary>
    private const int CachePieces = 10_000;
    private const int CachePieceLength = 64;

    private readonly int[] _byteTokens;
    private readonly Dictionary<long, Merge> _merges;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _cached;
    private int _cacheCount;

    /// <summary>Creates an encoder.</summary>
    /// <param name="byteTokens">The token of each of the 256 bytes, −1 for a byte that has none: text loses it, as in the tokenizers library.</param>
    /// <param name="merges">By <see cref="Key"/>.</param>
    public BytePairEncoder(int[] byteTokens, Dictionary<long, Merge> merges)
    {
        _byteTokens = byteTokens;
        _merges = merges;
        _cached = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>A merge of two adjacent tokens.</summary>
    public readonly record struct Merge(int Rank, int Token);

    /// <summary>The key of a pair of tokens.</summary>
    public static long Key(int left, int right) => ((long)left << 32) | (uint)right;

    /// <summary>Appends a piece's tokens.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> output)
    {
        if (_cached.TryGetValue(piece, out var known))
        {
            output.AddRange(known);
            return;
        }

        var first = output.Count;
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(piece.Length)];
        Apply(bytes.AsSpan(0, Encoding.UTF8.GetBytes(piece, bytes)), output);
        if (piece.Length <= CachePieceLength && Volatile.Read(ref _cacheCount) < CachePieces
            && _cache.TryAdd(piece.ToString(), [.. output.Skip(first)]))
        {
            Interlocked.Increment(ref _cacheCount);
        }
    }

    private void Apply(ReadOnlySpan<byte> bytes, List<int> output)
    {
        // A linked list over arrays: the token at a place, −1 where it was merged into its left neighbour.
        var tokens = new int[bytes.Length];
        var count = 0;
        foreach (var value in bytes)
        {
            if (_byteTokens[value] >= 0)
            {
                tokens[count++] = _byteTokens[value];
            }
        }

        var previous = new int[count];
        var next = new int[count];
        var queue = new PriorityQueue<(int Place, int Token), long>();
        for (var place = 0; place < count; place++)
        {
            previous[place] = place - 1;
            next[place] = place + 1;
            if (place > 0)
            {
                Offer(place - 1, place);
            }
        }

        while (queue.TryDequeue(out var candidate, out _))
        {
            var place = candidate.Place;
            var right = tokens[place] < 0 ? count : next[place];
            if (right >= count || !_merges.TryGetValue(Key(tokens[place], tokens[right]), out var merge) || merge.Token != candidate.Token)
            {
                // One of the two was merged meanwhile.
                continue;
            }

            tokens[place] = merge.Token;
            tokens[right] = -1;
            next[place] = next[right];
            if (next[place] < count)
            {
                previous[next[place]] = place;
                Offer(place, next[place]);
            }

            if (previous[place] >= 0)
            {
                Offer(previous[place], place);
            }
        }

        for (var place = 0; place < count; place = next[place])
        {
            output.Add(tokens[place]);
        }

        void Offer(int left, int right)
        {
            if (_merges.TryGetValue(Key(tokens[left], tokens[right]), out var merge))
            {
                queue.Enqueue((left, merge.Token), ((long)merge.Rank << 32) | (uint)left);
            }
        }
    }
}
