namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>Makes tensors over native memory.</summary>
internal static class TensorMemory
{
    /// <summary>A tensor over a part of a buffer, which must outlive its use. The caller disposes it.</summary>
    public static OrtValue Tensor(NativeBuffer buffer, long offset, TensorElementType type, params long[] shape)
    {
        var bytes = Bytes(type, shape);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + bytes, buffer.Length);
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, type, shape, buffer.At(offset), bytes);
    }

    /// <summary>Bytes of a tensor.</summary>
    public static long Bytes(TensorElementType type, params ReadOnlySpan<long> shape)
    {
        long bytes = Elements.Size(type);
        foreach (var size in shape)
        {
            bytes = checked(bytes * size);
        }

        return bytes;
    }

    /// <summary>Disposes tensors, not their memory.</summary>
    public static void DisposeAll(this IEnumerable<OrtValue?> tensors)
    {
        foreach (var tensor in tensors)
        {
            tensor?.Dispose();
        }
    }
}
