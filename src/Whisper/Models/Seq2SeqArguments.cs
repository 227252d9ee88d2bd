using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Whisper.Models;

/// <summary>
/// What every <see cref="ISeq2SeqModel"/> asks of its arguments, checked before anything is computed: backends share the rules and the words.
/// </summary>
/// <remarks>Holds no state. Whose states and caches they are, and whether they are disposed, only the model that made them can say.</remarks>
public static class Seq2SeqArguments
{
    /// <summary>Checks the arguments of <see cref="ISeq2SeqModel.Encode"/>.</summary>
    /// <param name="info">The model.</param>
    /// <param name="features">Must be <c>[batch, feature, frame]</c>.</param>
    /// <param name="batch">At least 1.</param>
    /// <param name="frames">Even, from 2 to the whole context; the whole one without <see cref="Seq2SeqModelInfo.SupportsShortContext"/>.</param>
    /// <exception cref="ArgumentException">One does not fit; it names the parameter and both numbers.</exception>
    public static void CheckEncode(Seq2SeqModelInfo info, ReadOnlySpan<float> features, int batch, int frames)
    {
        ArgumentNullException.ThrowIfNull(info);
        if (batch < 1)
        {
            throw new ArgumentException($"A batch of {batch} rows; it must have at least 1.", nameof(batch));
        }

        var most = 2 * info.MaxSourcePositions;
        if (frames < 2 || frames % 2 != 0 || frames > most)
        {
            throw new ArgumentException($"{frames} frames; there must be an even number from 2 to {most}.", nameof(frames));
        }

        if (frames < most && !info.SupportsShortContext)
        {
            throw new ArgumentException($"{frames} frames; this model's graph takes {most} and no fewer.", nameof(frames));
        }

        if (features.Length != (long)batch * info.FeatureSize * frames)
        {
            throw new ArgumentException($"{features.Length} features are not [{batch}, {info.FeatureSize}, {frames}].", nameof(features));
        }
    }

    /// <summary>Checks the arguments of <see cref="ISeq2SeqModel.CreateCache"/> and puts numbers where the options leave them to the model.</summary>
    /// <param name="info">The model.</param>
    /// <param name="states">The encoder states, which the caller knows to be the model's own.</param>
    /// <param name="sourceRows">At least one, each a row of <paramref name="states"/>.</param>
    /// <param name="options">Capacity, rows and heads within the model's; heads only with <see cref="Seq2SeqModelInfo.SupportsAlignment"/>.</param>
    /// <returns>Most tokens of a row, and most rows.</returns>
    /// <exception cref="ArgumentException">One does not fit.</exception>
    public static (int Capacity, int MaxRows) CheckCache(
        Seq2SeqModelInfo info, IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(info);
        ArgumentNullException.ThrowIfNull(states);
        ArgumentNullException.ThrowIfNull(options);
        if (sourceRows.IsEmpty)
        {
            throw new ArgumentException("A cache needs at least one row.", nameof(sourceRows));
        }

        foreach (var row in sourceRows)
        {
            if ((uint)row >= (uint)states.Batch)
            {
                throw new ArgumentException($"Source row {row} is not one of the {states.Batch} encoder rows.", nameof(sourceRows));
            }
        }

        var capacity = options.Capacity == 0 ? info.MaxTargetPositions : options.Capacity;
        if (capacity < 1 || capacity > info.MaxTargetPositions)
        {
            throw new ArgumentException($"A capacity of {options.Capacity}; it must be from 1 to {info.MaxTargetPositions}.", nameof(options));
        }

        var maxRows = options.MaxRows == 0 ? sourceRows.Length : options.MaxRows;
        if (maxRows < sourceRows.Length)
        {
            throw new ArgumentException($"At most {options.MaxRows} rows, but {sourceRows.Length} to begin with.", nameof(options));
        }

        if (options.AlignmentHeads.Count > 0 && !info.SupportsAlignment)
        {
            throw new ArgumentException("Alignment heads, but this model's graph has no output of cross-attention.", nameof(options));
        }

        foreach (var head in options.AlignmentHeads)
        {
            if ((uint)head.Layer >= (uint)info.DecoderLayers || (uint)head.Head >= (uint)info.DecoderHeads)
            {
                throw new ArgumentException(
                    $"Alignment head {head.Head} of layer {head.Layer}: the model has {info.DecoderLayers} layers of {info.DecoderHeads} heads.", nameof(options));
            }
        }

        return (capacity, maxRows);
    }

    /// <summary>Checks the tokens of <see cref="ISeq2SeqModel.Decode"/>; what is padding may hold anything.</summary>
    /// <param name="info">The model.</param>
    /// <param name="cache">The cache, which the caller knows to be the model's own; the counted tokens must fit behind those that it holds.</param>
    /// <param name="tokens"><c>[row, width]</c>, those that count within the vocabulary.</param>
    /// <param name="counts">Empty, or for each row from 1 to the width.</param>
    /// <returns>The width.</returns>
    /// <exception cref="ArgumentException">One does not fit.</exception>
    public static int CheckTokens(Seq2SeqModelInfo info, IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts)
    {
        ArgumentNullException.ThrowIfNull(info);
        ArgumentNullException.ThrowIfNull(cache);
        var rows = cache.Rows;
        if (tokens.IsEmpty || tokens.Length % rows != 0)
        {
            throw new ArgumentException($"{tokens.Length} tokens do not divide among {rows} rows.", nameof(tokens));
        }

        if (!counts.IsEmpty && counts.Length != rows)
        {
            throw new ArgumentException($"{counts.Length} counts for {rows} rows.", nameof(counts));
        }

        var width = tokens.Length / rows;
        for (var row = 0; row < rows; row++)
        {
            var count = counts.IsEmpty ? width : counts[row];
            if (count < 1 || count > width)
            {
                throw new ArgumentException($"Row {row} counts {count} of {width} tokens.", nameof(counts));
            }

            if (count > cache.Capacity - cache.Length(row))
            {
                throw new ArgumentException($"Row {row} holds {cache.Length(row)} of at most {cache.Capacity} tokens; {count} more do not fit.", nameof(tokens));
            }

            foreach (var token in tokens.Slice(row * width, count))
            {
                if ((uint)token >= (uint)info.VocabularySize)
                {
                    throw new ArgumentException($"Token {token} is outside the vocabulary of {info.VocabularySize}.", nameof(tokens));
                }
            }
        }

        return width;
    }

    /// <summary>Checks where <see cref="ISeq2SeqModel.Decode"/> is to write; longer than needed is fine.</summary>
    /// <param name="info">The model.</param>
    /// <param name="rows">Rows of the cache.</param>
    /// <param name="width">Tokens of a row, padding included.</param>
    /// <param name="attention">Weights of one token: the cache's alignment heads times the positions of its encoder states.</param>
    /// <param name="positions">Which logits are asked for.</param>
    /// <param name="logits">Must hold them.</param>
    /// <param name="alignment">Empty, or must hold <c>[row, head, width, position]</c>.</param>
    /// <exception cref="ArgumentException">One is too short, or <paramref name="positions"/> is no value of its type.</exception>
    public static void CheckOutputs(
        Seq2SeqModelInfo info, int rows, int width, long attention, LogitPositions positions, ReadOnlySpan<float> logits, ReadOnlySpan<float> alignment)
    {
        ArgumentNullException.ThrowIfNull(info);
        var needed = positions switch
        {
            LogitPositions.None => 0L,
            LogitPositions.Last => (long)rows * info.VocabularySize,
            LogitPositions.All => (long)rows * width * info.VocabularySize,
            _ => throw new ArgumentException($"Unknown positions {positions}.", nameof(positions)),
        };
        if (logits.Length < needed)
        {
            throw new ArgumentException($"{logits.Length} values cannot hold {needed} logits.", nameof(logits));
        }

        needed = (long)rows * width * attention;
        if (!alignment.IsEmpty && alignment.Length < needed)
        {
            throw new ArgumentException($"{alignment.Length} values cannot hold {needed} attention weights.", nameof(alignment));
        }
    }

    /// <summary>Checks the argument of <see cref="IDecoderCache.Reorder"/>.</summary>
    /// <param name="rows">From 1 to <paramref name="most"/>, each a row that is there.</param>
    /// <param name="current">Rows that are there.</param>
    /// <param name="most">Most rows that the cache can hold.</param>
    /// <exception cref="ArgumentException">There are too few or too many, or one is not there.</exception>
    public static void CheckReorder(ReadOnlySpan<int> rows, int current, int most)
    {
        if (rows.IsEmpty || rows.Length > most)
        {
            throw new ArgumentException($"{rows.Length} rows; this cache can hold 1 to {most}.", nameof(rows));
        }

        foreach (var row in rows)
        {
            if ((uint)row >= (uint)current)
            {
                throw new ArgumentException($"Row {row} is not one of the {current} rows.", nameof(rows));
            }
        }
    }
}
