using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>The low-rank factors of one adapter, as graphs read them: A <c>[in, rank]</c> and B <c>[rank, out]</c> of each layer that it changes.</summary>
/// <remarks>Who reads them holds them meanwhile: they are freed when the adapter was removed and nobody holds them any more.</remarks>
internal sealed class AdapterFactors
{
    private readonly Dictionary<string, (NativeBuffer First, NativeBuffer Second, int Rank)> _layers = new(StringComparer.Ordinal);
    private int _holders;
    private bool _isRemoved;

    /// <summary>Whether somebody reads them.</summary>
    public bool IsHeld => _holders > 0;

    /// <summary>Rank at a layer; 0 where the adapter does not change it.</summary>
    public int Rank(string layer) => _layers.TryGetValue(layer, out var factors) ? factors.Rank : 0;

    /// <summary>The factors at a layer where <see cref="Rank"/> is not 0; owned by this object.</summary>
    public (NativeBuffer First, NativeBuffer Second) At(string layer) => (_layers[layer].First, _layers[layer].Second);

    /// <summary>Sets those of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="rank">Their rank, 1 or more.</param>
    /// <param name="first"><c>[rank, in]</c>.</param>
    /// <param name="second"><c>[out, rank]</c>.</param>
    public void Set(LowRankLayer layer, int rank, ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        if (_layers.Remove(layer.Name, out var before))
        {
            before.First.Dispose();
            before.Second.Dispose();
        }

        _layers.Add(layer.Name, (Transposed(first, rank, layer.Inputs), Transposed(second, layer.Outputs, rank), rank));
    }

    /// <summary>Says that somebody reads them, until <see cref="Release"/>.</summary>
    public void Hold() => _holders++;

    /// <summary>Ends a <see cref="Hold"/>.</summary>
    public void Release()
    {
        _holders--;
        FreeIfUnused();
    }

    /// <summary>Frees them, as soon as nobody reads them.</summary>
    public void Remove()
    {
        _isRemoved = true;
        FreeIfUnused();
    }

    private static NativeBuffer Transposed(ReadOnlySpan<float> matrix, int rows, int columns)
    {
        var buffer = new NativeBuffer((long)matrix.Length * sizeof(float));
        var turned = MemoryMarshal.Cast<byte, float>(buffer.Span(0, matrix.Length * sizeof(float)));
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                turned[(column * rows) + row] = matrix[(row * columns) + column];
            }
        }

        return buffer;
    }

    private void FreeIfUnused()
    {
        if (_isRemoved && _holders == 0)
        {
            foreach (var (first, second, _) in _layers.Values)
            {
                first.Dispose();
                second.Dispose();
            }

            _layers.Clear();
        }
    }
}
