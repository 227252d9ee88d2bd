using AsrPlatform.LibTorch.Interop;
using AsrPlatform.LibTorch.Utils;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        /// <summary>The elements as bytes in place, on the CPU and contiguous; valid while the tensor lives.</summary>
        /// <remarks>Reading or writing it needs no copy, whatever the type: this is how weights get in and out.</remarks>
        /// <exception cref="InvalidOperationException">The tensor is not contiguous, or not on the CPU.</exception>
        public Span<byte> bytes
        {
            get => new(Data(contiguous: true), checked((int)(numel() * element_size())));
            set
            {
                var own = bytes;
                if (value.Length != own.Length)
                {
                    throw new ArgumentException($"{value.Length} bytes for a tensor of {own.Length}.", nameof(value));
                }
                value.CopyTo(own);
            }
        }

        /// <summary>The elements in row-major order, whatever the strides; on the CPU and of type <typeparamref name="T"/> exactly.</summary>
        public TensorAccessor<T> data<T>()
            where T : unmanaged
        {
            ExpectType<T>();
            return new TensorAccessor<T>(this, (nint)Data(contiguous: false));
        }

        /// <summary>The only element, of type <typeparamref name="T"/> exactly.</summary>
        public T item<T>()
            where T : unmanaged
        {
            if (numel() != 1)
            {
                throw new ArgumentException($"item() of a tensor with {numel()} elements; it takes exactly one.");
            }
            ExpectType<T>();
            if (device_type == DeviceType.CPU)
            {
                var result = *(T*)Data(contiguous: false);
                GC.KeepAlive(this);
                return result;
            }
            using var here = cpu();
            return here.item<T>();
        }

        /// <summary>The only element, as a number.</summary>
        public Scalar ToScalar()
        {
            Number value;
            Shim.Check(asrt_item(Handle, &value));
            GC.KeepAlive(this);
            return new Scalar(value);
        }

        /// <summary>Writes the elements of a contiguous tensor on the CPU as bytes, in pieces of <paramref name="bufferSize"/>.</summary>
        public void WriteBytesToStream(Stream stream, int bufferSize = 1024)
        {
            var at = (byte*)Data(contiguous: true);
            for (var left = numel() * element_size(); left > 0;)
            {
                var count = (int)Math.Min(left, bufferSize);
                stream.Write(new ReadOnlySpan<byte>(at, count));
                at += count;
                left -= count;
            }
            GC.KeepAlive(this);
        }

        /// <summary>Fills a contiguous tensor on the CPU from bytes.</summary>
        /// <exception cref="EndOfStreamException">The stream ends first.</exception>
        public void ReadBytesFromStream(Stream stream, int bufferSize = 1024)
        {
            var at = (byte*)Data(contiguous: true);
            for (var left = numel() * element_size(); left > 0;)
            {
                var count = (int)Math.Min(left, bufferSize);
                stream.ReadExactly(new Span<byte>(at, count));
                at += count;
                left -= count;
            }
            GC.KeepAlive(this);
        }

        private void* Data(bool contiguous)
        {
            if (device_type != DeviceType.CPU)
            {
                throw new InvalidOperationException("The tensor's data is not on the CPU: copy it there with cpu() first.");
            }
            if (contiguous && !is_contiguous())
            {
                throw new InvalidOperationException("The tensor's data is not contiguous: call contiguous() first.");
            }
            var data = asrt_data(Handle);
            GC.KeepAlive(this);
            return data is not null || numel() == 0 ? data : throw Shim.Error();
        }

        private void ExpectType<T>()
            where T : unmanaged
        {
            var expected = TypeOf<T>();
            if (expected != dtype)
            {
                throw new ArgumentException($"{typeof(T).Name} is not the type of this tensor's elements, which are {dtype}.");
            }
        }
    }

    /// <summary>The element type that holds a .NET type's bits.</summary>
    internal static ScalarType TypeOf<T>()
        where T : unmanaged =>
        typeof(T) == typeof(float) ? ScalarType.Float32
        : typeof(T) == typeof(long) ? ScalarType.Int64
        : typeof(T) == typeof(int) ? ScalarType.Int32
        : typeof(T) == typeof(double) ? ScalarType.Float64
        : typeof(T) == typeof(byte) ? ScalarType.Byte
        : typeof(T) == typeof(sbyte) ? ScalarType.Int8
        : typeof(T) == typeof(short) ? ScalarType.Int16
        : typeof(T) == typeof(bool) ? ScalarType.Bool
        : typeof(T) == typeof(Half) ? ScalarType.Float16
        : throw new ArgumentException($"No tensor has elements of type {typeof(T).Name}.");
}
