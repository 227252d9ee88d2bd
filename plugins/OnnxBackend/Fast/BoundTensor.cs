using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>An input or output of a binding with memory of its own: bound anew only where its shape changes.</summary>
/// <param name="binding">The binding; stays the caller's and must outlive this.</param>
/// <param name="name">The input's or output's name.</param>
/// <param name="isOutput">Which of the two it is.</param>
/// <param name="type">Type of the values.</param>
/// <param name="pool">Where memory comes from.</param>
internal sealed class BoundTensor(OrtIoBinding binding, string name, bool isOutput, TensorElementType type, BufferPool pool) : IDisposable
{
    private NativeBuffer? _buffer;
    private OrtValue? _value;
    private long[] _shape = [];

    /// <summary>Gives it a shape and binds it.</summary>
    /// <returns>The values; those of an input are to be set.</returns>
    public Span<byte> Bind(params ReadOnlySpan<long> shape)
    {
        var bytes = TensorMemory.Bytes(type, shape);
        if (_value is null || !shape.SequenceEqual(_shape))
        {
            _value?.Dispose();
            if (_buffer is null || _buffer.Length < bytes)
            {
                if (_buffer is not null)
                {
                    pool.Return(_buffer);
                }

                _buffer = pool.Rent(bytes);
            }

            _shape = shape.ToArray();
            _value = TensorMemory.Tensor(_buffer, 0, type, _shape);
            Bind();
        }

        return _buffer!.Span(0, checked((int)bytes));
    }

    /// <summary>Binds it again, after the binding's outputs were cleared.</summary>
    public void Bind()
    {
        if (_value is null)
        {
            return;
        }

        if (isOutput)
        {
            binding.BindOutput(name, _value);
        }
        else
        {
            binding.BindInput(name, _value);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _value?.Dispose();
        _value = null;
        if (_buffer is not null)
        {
            pool.Return(_buffer);
            _buffer = null;
        }
    }
}
