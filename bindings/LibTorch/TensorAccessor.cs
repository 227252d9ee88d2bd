using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace AsrPlatform.LibTorch.Utils;

/// <summary>The elements of a tensor on the CPU, in row-major order; it keeps the tensor object alive, not undisposed.</summary>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "TorchSharp's name.")]
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T>
    where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly T* _data;
    private readonly long[] _shape;
    private readonly long[] _strides;
    private readonly bool _contiguous;

    internal TensorAccessor(torch.Tensor tensor, nint data)
    {
        _tensor = tensor;
        _data = (T*)data;
        _shape = tensor.shape;
        _strides = tensor.stride();
        _contiguous = tensor.is_contiguous();
        Count = tensor.numel();
    }

    public long Count { get; }

    /// <summary>The element at one index for each dimension, or at one index of the row-major order.</summary>
    public T this[params long[] indices]
    {
        get => _data[Offset(indices)];
        set => _data[Offset(indices)] = value;
    }

    public T[] ToArray()
    {
        var result = new T[Count];
        CopyTo(result);
        return result;
    }

    /// <summary>Copies out, from element <paramref name="tensorIndex"/> on, as much as the tensor has.</summary>
    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    /// <inheritdoc cref="CopyTo(T[], int, long)"/>
    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        Alive();
        var count = checked((int)Math.Max(0, Count - tensorIndex));
        var into = array.Slice(arrayIndex, count);
        if (_contiguous)
        {
            new ReadOnlySpan<T>(_data + tensorIndex, count).CopyTo(into);
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                into[i] = _data[LinearOffset(tensorIndex + i)];
            }
        }
        GC.KeepAlive(_tensor);
    }

    /// <summary>Copies in, from element <paramref name="tensorIndex"/> on, as much as the tensor takes.</summary>
    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    /// <inheritdoc cref="CopyFrom(T[], int, long)"/>
    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        Alive();
        var count = (int)Math.Min(array.Length - arrayIndex, Count - tensorIndex);
        var from = array.Slice(arrayIndex, count);
        if (_contiguous)
        {
            from.CopyTo(new Span<T>(_data + tensorIndex, count));
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                _data[LinearOffset(tensorIndex + i)] = from[i];
            }
        }
        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Does nothing: the tensor stays whose it was.</summary>
    public void Dispose()
    {
    }

    private void Alive() => ObjectDisposedException.ThrowIf(_tensor.IsInvalid, _tensor);

    private long Offset(long[] indices)
    {
        Alive();
        if (indices.Length == 1)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(indices[0], nameof(indices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(indices[0], Count, nameof(indices));
            return LinearOffset(indices[0]);
        }
        if (indices.Length != _shape.Length)
        {
            throw new ArgumentException($"{indices.Length} indices for a tensor of {_shape.Length} dimensions.", nameof(indices));
        }
        long offset = 0;
        for (var i = 0; i < indices.Length; i++)
        {
            if (indices[i] < 0 || indices[i] >= _shape[i])
            {
                throw new ArgumentOutOfRangeException(nameof(indices), indices[i], $"Dimension {i} has {_shape[i]} elements.");
            }
            offset += indices[i] * _strides[i];
        }
        return offset;
    }

    private long LinearOffset(long index)
    {
        if (_contiguous)
        {
            return index;
        }
        long offset = 0;
        for (var d = _shape.Length - 1; d >= 0; d--)
        {
            (index, var at) = Math.DivRem(index, _shape[d]);
            offset += at * _strides[d];
        }
        return offset;
    }
}
