using System.Buffers;
using System.Runtime.InteropServices;
using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;
using AsrPlatform.OnnxRuntime.Tensors;

namespace AsrPlatform.OnnxRuntime;

/// <summary>A tensor: over the caller's memory, over memory of an allocator, or a result of a run.</summary>
/// <remarks>
/// Dispose of it when it is no longer read; memory that it pins stays pinned until then, and also for as long as an
/// <see cref="OrtIoBinding"/> holds the value. The value itself is thread-safe, its elements are not.
/// </remarks>
public sealed class OrtValue : IDisposable
{
    private readonly ValueHandle _native;
    private OrtTensorTypeAndShapeInfo? _info;
    private nint _data;

    /// <summary>Takes over a native value.</summary>
    internal OrtValue(nint native, SafeHandle? keeps = null)
        : this(new ValueHandle(native, default, keeps))
    {
    }

    private OrtValue(ValueHandle native)
    {
        _native = native;
        using var self = new Lease(native);
        OnnxType = (OnnxValueType)Ort.GetInt(67, self.Pointer);
    }

    private OrtValue(ValueHandle native, OrtTensorTypeAndShapeInfo info)
    {
        _native = native;
        _info = info;
        OnnxType = OnnxValueType.ONNX_TYPE_TENSOR;
    }

    internal NativeObject Native => _native;

    public OnnxValueType OnnxType { get; }

    public bool IsTensor => OnnxType == OnnxValueType.ONNX_TYPE_TENSOR;

    /// <summary>A tensor over managed memory, which is pinned until the value is disposed of and nothing is bound to it any more.</summary>
    /// <param name="memoryInfo">Processor memory: <see cref="OrtMemoryInfo.DefaultInstance"/>.</param>
    /// <param name="memory">At least as many elements as the shape has.</param>
    /// <param name="shape">The dimensions.</param>
    /// <exception cref="OnnxRuntimeException">The memory is too small, a dimension is negative, or no tensor has elements of the type.</exception>
    public static OrtValue CreateTensorValueFromMemory<T>(OrtMemoryInfo memoryInfo, Memory<T> memory, long[] shape)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(shape);
        var type = ElementTypes.Of<T>();
        var info = new OrtTensorTypeAndShapeInfo(type, [.. shape]);
        if (info.ElementCount > memory.Length)
        {
            throw new OnnxRuntimeException(ErrorCode.InvalidArgument,
                $"The shape [{string.Join(", ", shape)}] has {info.ElementCount} elements, the memory {memory.Length}.");
        }
        using var place = new Lease(memoryInfo);
        var pin = memory.Pin();
        try
        {
            nint data;
            unsafe
            {
                data = (nint)pin.Pointer;
            }
            var native = Ort.CreateTensor(place.Pointer, data, (long)memory.Length * ElementTypes.Of(type).Bytes, shape, (int)type);
            return new OrtValue(new ValueHandle(native, pin, keeps: null), info);
        }
        catch
        {
            pin.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="CreateTensorValueFromMemory{T}(OrtMemoryInfo, Memory{T}, long[])" />
    public static OrtValue CreateTensorValueFromMemory<T>(T[] data, long[] shape)
        where T : unmanaged => CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, new Memory<T>(data), shape);

    /// <summary>A tensor over memory that stays the caller's and must outlive the value and whatever it is bound to.</summary>
    /// <param name="memInfo">Where the memory lies.</param>
    /// <param name="elementType">The type of the elements.</param>
    /// <param name="shape">The dimensions.</param>
    /// <param name="dataBufferPtr">The first element.</param>
    /// <param name="bufferLengthInBytes">At least as many bytes as the shape needs.</param>
    /// <exception cref="OnnxRuntimeException">The memory is too small, a dimension is negative, or the element type is no number.</exception>
    public static OrtValue CreateTensorValueWithData(OrtMemoryInfo memInfo, TensorElementType elementType, long[] shape, IntPtr dataBufferPtr, long bufferLengthInBytes)
    {
        ArgumentNullException.ThrowIfNull(shape);
        var info = new OrtTensorTypeAndShapeInfo(elementType, [.. shape]);
        if (info.ElementCount > bufferLengthInBytes / ElementTypes.Of(elementType).Bytes)
        {
            throw new OnnxRuntimeException(ErrorCode.InvalidArgument,
                $"The shape [{string.Join(", ", shape)}] of {elementType} needs more than the {bufferLengthInBytes} bytes of the memory.");
        }
        using var place = new Lease(memInfo);
        var native = Ort.CreateTensor(place.Pointer, dataBufferPtr, bufferLengthInBytes, shape, (int)elementType);
        return new OrtValue(new ValueHandle(native, default, keeps: null), info);
    }

    /// <summary>A tensor in memory of an allocator, freed with it. Its elements are not set.</summary>
    /// <exception cref="OnnxRuntimeException">A dimension is negative, the element type is no number, or the memory is not to be had.</exception>
    public static OrtValue CreateAllocatedTensorValue(OrtAllocator allocator, TensorElementType elementType, long[] shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        _ = ElementTypes.Of(elementType);
        var info = new OrtTensorTypeAndShapeInfo(elementType, [.. shape]);
        using var from = new Lease(allocator);
        return new OrtValue(new ValueHandle(Ort.CreateTensor(from.Pointer, shape, (int)elementType), default, allocator), info);
    }

    /// <summary>The element type and the shape.</summary>
    /// <exception cref="OnnxRuntimeException">The value is no tensor.</exception>
    public OrtTensorTypeAndShapeInfo GetTensorTypeAndShape()
    {
        using var self = new Lease(_native);
        return TypeAndShape(self.Pointer);
    }

    /// <summary>The elements, where they lie: valid until the value is disposed of. Memory of another device cannot be read this way.</summary>
    /// <typeparam name="T">The .NET type of the element type, or <see cref="byte"/>.</typeparam>
    /// <exception cref="OnnxRuntimeException">The value is no tensor of numbers, or of others than <typeparamref name="T"/>, or has more than a span can.</exception>
    public ReadOnlySpan<T> GetTensorDataAsSpan<T>()
        where T : unmanaged => GetTensorMutableDataAsSpan<T>();

    /// <inheritdoc cref="GetTensorDataAsSpan{T}" />
    public Span<T> GetTensorMutableDataAsSpan<T>()
        where T : unmanaged
    {
        using var self = new Lease(_native);
        var info = TypeAndShape(self.Pointer);
        var (type, bytes) = ElementTypes.Of(info.ElementDataType);
        if (typeof(T) != type && typeof(T) != typeof(byte))
        {
            throw new OnnxRuntimeException(ErrorCode.InvalidArgument, $"The tensor has elements of type {type}, not {typeof(T)}.");
        }
        var count = typeof(T) == type ? info.ElementCount : info.ElementCount * bytes;
        if (count > int.MaxValue)
        {
            throw new OnnxRuntimeException(ErrorCode.InvalidArgument, $"The tensor has {count} elements of type {typeof(T)}, more than a span can.");
        }
        if (count == 0)
        {
            return [];
        }
        if (_data == 0)
        {
            _data = Ort.Get(51, self.Pointer);
        }
        unsafe
        {
            return new Span<T>((void*)_data, (int)count);
        }
    }

    /// <summary>The elements' bytes, where they lie.</summary>
    /// <inheritdoc cref="GetTensorDataAsSpan{T}" />
    public Span<byte> GetTensorMutableRawData() => GetTensorMutableDataAsSpan<byte>();

    /// <inheritdoc />
    public void Dispose() => _native.Dispose();

    private OrtTensorTypeAndShapeInfo TypeAndShape(nint native)
    {
        if (!IsTensor)
        {
            throw new OnnxRuntimeException(ErrorCode.InvalidArgument, $"The value is {OnnxType}, no tensor.");
        }
        if (_info is not { } info)
        {
            var typeAndShape = Ort.Get(65, native);
            try
            {
                info = new OrtTensorTypeAndShapeInfo(typeAndShape);
            }
            finally
            {
                Ort.Release(99, typeAndShape);
            }
            _info = info;
        }
        return info;
    }

    private sealed class ValueHandle : NativeObject
    {
        private MemoryHandle _pin;

        /// <param name="native">The value, which is taken over.</param>
        /// <param name="pin">What holds its memory in place; disposed of after it.</param>
        /// <param name="keeps">What its memory belongs to.</param>
        public ValueHandle(nint native, MemoryHandle pin, SafeHandle? keeps)
            : base(NativeKind.Value)
        {
            Adopt(native);
            if (keeps is not null)
            {
                Keep(keeps);
            }
            _pin = pin;
        }

        private protected override void Release(nint native) => Ort.Release(96, native);

        private protected override void ReleaseKept()
        {
            _pin.Dispose();
            base.ReleaseKept();
        }
    }
}
