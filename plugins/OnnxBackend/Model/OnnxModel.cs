using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Models;

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
        Seq2SeqArguments.CheckEncode(Info, features, batch, frames);
        return layout.Encode(features, batch, frames);
    }

    /// <inheritdoc />
    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (states is not OnnxStates own || own.Layout != layout)
        {
            throw new ArgumentException("These encoder states come from another model.", nameof(states));
        }

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        var (capacity, maxRows) = Seq2SeqArguments.CheckCache(Info, own, sourceRows, options);
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
        var width = Seq2SeqArguments.CheckTokens(Info, own, tokens, counts);
        var attention = (long)own.AlignmentHeads.Length * own.States.Positions;
        Seq2SeqArguments.CheckOutputs(Info, own.Rows, width, attention, positions, logits, alignment);
        Span<int> all = own.Rows <= MostRowsOnStack ? stackalloc int[own.Rows] : new int[own.Rows];
        if (counts.IsEmpty)
        {
            all.Fill(width);
        }
        else
        {
            counts.CopyTo(all);
        }

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
}
