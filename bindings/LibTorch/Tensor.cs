using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    /// <summary>A tensor of LibTorch: a counted reference to it, freed by <see cref="Dispose"/> or by its scope.</summary>
    /// <remarks>
    /// Methods that end in an underscore change the tensor and return it; all others return a new one, which may share its
    /// memory (views). The finalizer is the last resort: native memory does not press on the garbage collector.
    /// </remarks>
    [SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "TorchSharp's name.")]
    public sealed partial class Tensor : IDisposable
    {
        private static long _totalCount;
        private nint _handle;

        internal DisposeScope? OwningScope;
        internal Tensor? PreviousInScope;
        internal Tensor? NextInScope;

        internal Tensor(nint handle)
        {
            _handle = handle;
            if (handle == 0)
            {
                // "No tensor", as autograd.grad reports an input that was not used.
                GC.SuppressFinalize(this);
                return;
            }
            Interlocked.Increment(ref _totalCount);
            DisposeScope.Current?.Add(this);
        }

        // A scope that is open keeps its tensors; when this runs, the scope is garbage too and must not be touched.
        ~Tensor() => Free();

        /// <summary>How many tensors live in the process, aliases counted each.</summary>
        public static long TotalCount => Interlocked.Read(ref _totalCount);

        /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
        public nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(Tensor), "The tensor was disposed, or its scope has ended.");

        /// <summary>True once the tensor was disposed.</summary>
        public bool IsInvalid => _handle == 0;

        /// <summary>A name for whoever debugs.</summary>
        public string? name { get; set; }

        public long ndim => dim();

        public long Dimensions => dim();

        public long NumberOfElements => numel();

        /// <summary>Bytes of one element.</summary>
        public long ElementSize => element_size();

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool is_leaf
        {
            get
            {
                var result = asrt_is_leaf(Handle) != 0;
                GC.KeepAlive(this);
                return result;
            }
        }

        public ScalarType dtype
        {
            get
            {
                var result = (ScalarType)asrt_dtype(Handle);
                GC.KeepAlive(this);
                return result;
            }
        }

        public Device device
        {
            get
            {
                int index;
                var type = (DeviceType)asrt_device(Handle, &index);
                GC.KeepAlive(this);
                return type == DeviceType.CPU ? CPU : new Device(type, index);
            }
        }

        public DeviceType device_type
        {
            get
            {
                int index;
                var type = (DeviceType)asrt_device(Handle, &index);
                GC.KeepAlive(this);
                return type;
            }
        }

        public int device_index
        {
            get
            {
                int index;
                _ = asrt_device(Handle, &index);
                GC.KeepAlive(this);
                return index;
            }
        }

        /// <summary>The size of each dimension; a new array.</summary>
        public long[] shape
        {
            get
            {
                const int usual = 12;
                var buffer = stackalloc long[usual];
                var count = asrt_sizes(Handle, buffer, usual);
                GC.KeepAlive(this);
                if (count <= usual)
                {
                    return new ReadOnlySpan<long>(buffer, (int)count).ToArray();
                }
                var result = new long[count];
                fixed (long* into = result)
                {
                    _ = asrt_sizes(Handle, into, count);
                }
                GC.KeepAlive(this);
                return result;
            }
        }

        public long dim()
        {
            var result = asrt_dim(Handle);
            GC.KeepAlive(this);
            return result;
        }

        public long numel()
        {
            var result = asrt_numel(Handle);
            GC.KeepAlive(this);
            return result;
        }

        public long element_size()
        {
            var result = asrt_element_size(Handle);
            GC.KeepAlive(this);
            return result;
        }

        public long[] size() => shape;

        /// <summary>The size of one dimension; negative ones count from the last.</summary>
        public long size(int dim)
        {
            const int usual = 12;
            var buffer = stackalloc long[usual];
            var count = asrt_sizes(Handle, buffer, usual);
            GC.KeepAlive(this);
            var at = dim < 0 ? dim + count : dim;
            ArgumentOutOfRangeException.ThrowIfNegative(at, nameof(dim));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(at, count, nameof(dim));
            return count <= usual ? buffer[at] : shape[at];
        }

        public long[] stride()
        {
            var result = new long[dim()];
            fixed (long* into = result)
            {
                _ = asrt_strides(Handle, into, result.Length);
            }
            GC.KeepAlive(this);
            return result;
        }

        public long stride(int dim)
        {
            var strides = stride();
            return strides[dim < 0 ? dim + strides.Length : dim];
        }

        public long storage_offset()
        {
            var result = asrt_storage_offset(Handle);
            GC.KeepAlive(this);
            return result;
        }

        public bool is_contiguous()
        {
            var result = asrt_is_contiguous(Handle) != 0;
            GC.KeepAlive(this);
            return result;
        }

        public bool is_floating_point() => torch.is_floating_point(dtype);

        public bool is_integral() => torch.is_integral(dtype);

        public bool is_complex() => torch.is_complex(dtype);

        public bool is_cpu() => device_type == DeviceType.CPU;

        /// <summary>Another reference to the same tensor, disposed on its own.</summary>
        public Tensor alias() => Shim.Wrap(asrt_alias(Handle), this);

        /// <summary>Takes the tensor out of every scope: the caller disposes it.</summary>
        public Tensor DetachFromDisposeScope()
        {
            OwningScope?.Detach(this);
            return this;
        }

        /// <summary>Hands the tensor to the scope around its own.</summary>
        public Tensor MoveToOuterDisposeScope()
        {
            OwningScope?.MoveToOuter(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(DisposeScope? other)
        {
            if (OwningScope is { } own)
            {
                own.MoveToOther(other, this);
            }
            else
            {
                other?.Attach(this);
            }
            return this;
        }

        /// <summary>Hands the tensor to the scope of <paramref name="other"/>.</summary>
        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningScope);

        public void Dispose()
        {
            if (_handle != 0)
            {
                OwningScope?.Remove(this);
                Free();
                GC.SuppressFinalize(this);
            }
        }

        private void Free()
        {
            var handle = Interlocked.Exchange(ref _handle, 0);
            if (handle != 0)
            {
                Interlocked.Decrement(ref _totalCount);
                asrt_free(handle);
            }
        }

        /// <summary>Shape, type and place, not the elements.</summary>
        public override string ToString() => _handle == 0
            ? "(disposed tensor)"
            : string.Create(CultureInfo.InvariantCulture, $"[{string.Join("x", shape)}], type = {dtype}, device = {device}");

        public override bool Equals(object? obj) => ReferenceEquals(this, obj);

        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
    }
}
