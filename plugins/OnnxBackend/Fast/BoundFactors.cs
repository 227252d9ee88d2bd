using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Onnx;
using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>
/// The factors of rows, bound to a graph's inputs: where all rows have one adapter, as they lie; else side by side, filled with zeros to the
/// largest rank. A layer that nobody changes gets factors of the rank 0.
/// </summary>
internal sealed class BoundFactors : IDisposable
{
    private readonly AdapterFactors?[] _rows;
    private readonly BufferPool _pool;
    private readonly NativeBuffer _buffer;
    private long _used;

    /// <param name="binding">The binding; stays the caller's.</param>
    /// <param name="layers">The graph's layers that take factors.</param>
    /// <param name="rows">The adapter of each row, or null; held until this is disposed.</param>
    /// <param name="pool">Where memory comes from.</param>
    public BoundFactors(OrtIoBinding binding, IReadOnlyList<LowRankLayer> layers, AdapterFactors?[] rows, BufferPool pool)
    {
        _pool = pool;
        _rows = Array.TrueForAll(rows, adapter => adapter == rows[0]) ? [rows[0]] : rows;
        foreach (var adapter in _rows)
        {
            adapter?.Hold();
        }

        var ranks = layers.Select(layer => _rows.Max(adapter => adapter?.Rank(layer.Name) ?? 0)).ToArray();
        _buffer = pool.Rent(_rows.Length == 1 ? 0 : layers.Select((layer, i) => Bytes(layer.Inputs, ranks[i]) + Bytes(ranks[i], layer.Outputs)).Sum());
        for (var i = 0; i < layers.Count; i++)
        {
            var (layer, rank) = (layers[i], ranks[i]);
            using var first = Tensor(layer, rank, isFirst: true);
            using var second = Tensor(layer, rank, isFirst: false);
            binding.BindInput(layer.Name + FastLayout.FirstFactor, first);
            binding.BindInput(layer.Name + FastLayout.SecondFactor, second);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var adapter in _rows)
        {
            adapter?.Release();
        }

        _pool.Return(_buffer);
    }

    private long Bytes(int outer, int inner) => (long)_rows.Length * outer * inner * sizeof(float);

    private OrtValue Tensor(LowRankLayer layer, int rank, bool isFirst)
    {
        var (outer, inner) = isFirst ? (layer.Inputs, rank) : (rank, layer.Outputs);
        if (rank == 0 || _rows.Length == 1)
        {
            var source = rank == 0 ? _buffer : isFirst ? _rows[0]!.At(layer.Name).First : _rows[0]!.At(layer.Name).Second;
            return TensorMemory.Tensor(source, 0, TensorElementType.Float, 1, outer, inner);
        }

        var at = _used;
        _used += Bytes(outer, inner);
        for (var row = 0; row < _rows.Length; row++)
        {
            var size = outer * inner;
            var values = MemoryMarshal.Cast<byte, float>(_buffer.Span(at + ((long)row * size * sizeof(float)), size * sizeof(float)));
            Fill(values, _rows[row], layer, rank, isFirst);
        }

        return TensorMemory.Tensor(_buffer, at, TensorElementType.Float, _rows.Length, outer, inner);
    }

    /// <summary>Copies an adapter's factor into the place of a row, with zeros for the ranks that it does not have.</summary>
    private static void Fill(Span<float> values, AdapterFactors? adapter, LowRankLayer layer, int rank, bool isFirst)
    {
        var own = adapter?.Rank(layer.Name) ?? 0;
        if (own < rank)
        {
            values.Clear();
        }

        if (own == 0)
        {
            return;
        }

        var (first, second) = adapter!.At(layer.Name);
        var outer = isFirst ? layer.Inputs : own;
        var inner = isFirst ? own : layer.Outputs;
        var source = MemoryMarshal.Cast<byte, float>((isFirst ? first : second).Span(0, outer * inner * sizeof(float)));
        var stride = isFirst ? rank : inner;
        for (var line = 0; line < outer; line++)
        {
            source.Slice(line * inner, inner).CopyTo(values[(line * stride)..]);
        }
    }
}
