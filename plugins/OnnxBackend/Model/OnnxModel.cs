using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>Whisper on ONNX Runtime: checks what it is given and hands it to the graphs.</summary>
internal class OnnxModel(IGraphLayout layout) : ISeq2SeqModel
{
    private bool _disposed;

    /// <inheritdoc />
    public Seq2SeqModelInfo Info => layout.Info;

    /// <inheritdoc />
    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (batch < 1)
        {
            throw new ArgumentException($"A batch of {batch} rows; it must have at least 1.", nameof(batch));
        }

        var most = 2 * Info.MaxSourcePositions;
        if (frames < 2 || frames % 2 != 0 || frames > most)
        {
            throw new ArgumentException($"{frames} frames; there must be an even number from 2 to {most}.", nameof(frames));
        }

        if (frames < most && !Info.SupportsShortContext)
        {
            throw new ArgumentException($"{frames} frames; this model's graph takes {most} and no fewer.", nameof(frames));
        }

        if (features.Length != (long)batch * Info.FeatureSize * frames)
        {
            throw new ArgumentException($"{features.Length} features are not [{batch}, {Info.FeatureSize}, {frames}].", nameof(features));
        }

        return layout.Encode(features, batch, frames);
    }

    /// <inheritdoc />
    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(options);
        if (states is not OnnxStates own || own.Layout != layout)
        {
            throw new ArgumentException("These encoder states come from another model.", nameof(states));
        }

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        if (sourceRows.IsEmpty)
        {
            throw new ArgumentException("A cache needs at least one row.", nameof(sourceRows));
        }

        foreach (var row in sourceRows)
        {
            if ((uint)row >= (uint)own.Batch)
            {
                throw new ArgumentException($"Source row {row} is not one of the {own.Batch} encoder rows.", nameof(sourceRows));
            }
        }

        var capacity = options.Capacity == 0 ? Info.MaxTargetPositions : options.Capacity;
        if (capacity < 1 || capacity > Info.MaxTargetPositions)
        {
            throw new ArgumentException($"A capacity of {options.Capacity}; it must be from 1 to {Info.MaxTargetPositions}.", nameof(options));
        }

        var maxRows = options.MaxRows == 0 ? sourceRows.Length : options.MaxRows;
        if (maxRows < sourceRows.Length)
        {
            throw new ArgumentException($"At most {options.MaxRows} rows, but {sourceRows.Length} to begin with.", nameof(options));
        }

        if (options.AlignmentHeads.Count > 0 && !Info.SupportsAlignment)
        {
            throw new ArgumentException("Alignment heads, but this model's graph has no output of cross-attention.", nameof(options));
        }

        foreach (var head in options.AlignmentHeads)
        {
            if ((uint)head.Layer >= (uint)Info.DecoderLayers || (uint)head.Head >= (uint)Info.DecoderHeads)
            {
                throw new ArgumentException(
                    $"Alignment head {head.Head} of layer {head.Layer}: the model has {Info.DecoderLayers} layers of {Info.DecoderHeads} heads.", nameof(options));
            }
        }

        return layout.CreateCache(own, sourceRows, capacity, maxRows, [.. options.AlignmentHeads]);
    }

    /// <inheritdoc />
    public void Decode(
        IDecoderCache cache,
        ReadOnlySpan<int> tokens,
        ReadOnlySpan<int> counts,
        LogitPositions positions,
        Span<float> logits,
        Span<float> alignment)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (cache is not OnnxCache own || own.States.Layout != layout)
        {
            throw new ArgumentException("This cache belongs to another model.", nameof(cache));
        }

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        ObjectDisposedException.ThrowIf(own.States.IsDisposed, own.States);
        if (tokens.IsEmpty || tokens.Length % own.Rows != 0)
        {
            throw new ArgumentException($"{tokens.Length} tokens do not divide among {own.Rows} rows.", nameof(tokens));
        }

        if (!counts.IsEmpty && counts.Length != own.Rows)
        {
            throw new ArgumentException($"{counts.Length} counts for {own.Rows} rows.", nameof(counts));
        }

        var width = tokens.Length / own.Rows;
        var all = own.Rows <= MostRowsOnStack ? stackalloc int[own.Rows] : new int[own.Rows];
        for (var row = 0; row < own.Rows; row++)
        {
            all[row] = counts.IsEmpty ? width : counts[row];
            CheckRow(own, row, tokens.Slice(row * width, width), all);
        }

        CheckOutputs(own, width, positions, logits, alignment);
        layout.Decode(own, tokens, all, positions, logits, alignment);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            layout.Dispose();
        }
    }

    private const int MostRowsOnStack = 256;

    private void CheckRow(OnnxCache cache, int row, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts)
    {
        var count = counts[row];
        if (count < 1 || count > tokens.Length)
        {
            throw new ArgumentException($"Row {row} counts {count} of {tokens.Length} tokens.", nameof(counts));
        }

        if (count > cache.Capacity - cache.Length(row))
        {
            throw new ArgumentException($"Row {row} holds {cache.Length(row)} of at most {cache.Capacity} tokens; {count} more do not fit.", nameof(tokens));
        }

        foreach (var token in tokens[..count])
        {
            if ((uint)token >= (uint)Info.VocabularySize)
            {
                throw new ArgumentException($"Token {token} is outside the vocabulary of {Info.VocabularySize}.", nameof(tokens));
            }
        }
    }

    private void CheckOutputs(OnnxCache cache, int width, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var needed = positions switch
        {
            LogitPositions.None => 0L,
            LogitPositions.Last => (long)cache.Rows * Info.VocabularySize,
            LogitPositions.All => (long)cache.Rows * width * Info.VocabularySize,
            _ => throw new ArgumentException($"Unknown positions {positions}.", nameof(positions)),
        };
        if (logits.Length < needed)
        {
            throw new ArgumentException($"{logits.Length} values cannot hold {needed} logits.", nameof(logits));
        }

        needed = (long)cache.Rows * cache.AlignmentHeads.Length * width * cache.States.Positions;
        if (!alignment.IsEmpty && alignment.Length < needed)
        {
            throw new ArgumentException($"{alignment.Length} values cannot hold {needed} attention weights.", nameof(alignment));
        }
    }
}
