using System.Diagnostics.CodeAnalysis;
using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        // --- types, places, copies ------------------------------------------------------------------------------------

        /// <summary>The elements as another type; the same memory when the type is already that and no copy is asked for.</summary>
        public Tensor to(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Cast((int)type, -1, -1, copy, disposeAfter, non_blocking);

        public Tensor to(ScalarType type, Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Cast((int)type, (int)device.type, device.index, copy, disposeAfter, non_blocking);

        public Tensor to(Device device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Cast(-1, (int)device.type, device.index, copy, disposeAfter, non_blocking);

        public Tensor to(DeviceType deviceType, int deviceIndex = -1, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            Cast(-1, (int)deviceType, deviceIndex, copy, disposeAfter, non_blocking);

        public Tensor to(string device, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(new Device(device), copy, disposeAfter, non_blocking);

        /// <summary>The type and the place of <paramref name="other"/>.</summary>
        public Tensor to(Tensor other, bool non_blocking = false) => to(other.dtype, other.device, non_blocking: non_blocking);

        public Tensor to_type(ScalarType type, bool copy = false, bool disposeAfter = false, bool non_blocking = false) =>
            to(type, copy, disposeAfter, non_blocking);

        public Tensor type(ScalarType dtype) => to(dtype);

        public Tensor type_as(Tensor tensor) => to(tensor.dtype);

        public Tensor cpu() => to(CPU);

        public Tensor cuda(Device? device = null, bool non_blocking = false) => to(device ?? CUDA, non_blocking: non_blocking);

        public Tensor @float() => to(ScalarType.Float32);

        public Tensor @double() => to(ScalarType.Float64);

        public Tensor half() => to(ScalarType.Float16);

        public Tensor bfloat16() => to(ScalarType.BFloat16);

        public Tensor @long() => to(ScalarType.Int64);

        public Tensor @int() => to(ScalarType.Int32);

        public Tensor @bool() => to(ScalarType.Bool);

        public Tensor clone() => Shim.Wrap(asrt_clone(Handle), this);

        /// <summary>The tensor in row-major memory: itself where it is so already.</summary>
        public Tensor contiguous() => Shim.Wrap(asrt_contiguous(Handle), this);

        /// <summary>A copy in memory that a CUDA device reads directly.</summary>
        public Tensor pin_memory() => Shim.Wrap(asrt_pin_memory(Handle), this);

        /// <summary>Overwrites the elements with those of <paramref name="source"/>, cast and broadcast.</summary>
        public Tensor copy_(Tensor source, bool nonBlocking = false) =>
            Shim.Done(asrt_copy_(Handle, source.Handle, nonBlocking ? 1 : 0), this, source);

        /// <summary>Makes this tensor share the memory and shape of <paramref name="source"/>.</summary>
        public Tensor set_(Tensor source) => Shim.Done(asrt_set_(Handle, source.Handle), this, source);

        public Tensor fill_(Scalar value) => Shim.Done(asrt_fill_(Handle, value.Value), this);

        public Tensor zero_() => Shim.Done(asrt_zero_(Handle), this);

        public Tensor normal_(double mean = 0, double std = 1, Generator? generator = null) =>
            Shim.Done(asrt_normal_(Handle, mean, std, generator?.Handle ?? 0), this, generator);

        public Tensor uniform_(double from, double to, Generator? generator = null) =>
            Shim.Done(asrt_uniform_(Handle, from, to, generator?.Handle ?? 0), this, generator);

        public Tensor bernoulli_(double p = 0.5, Generator? generator = null) =>
            Shim.Done(asrt_bernoulli_(Handle, p, generator?.Handle ?? 0), this, generator);

        public Tensor bernoulli(Generator? generator = null) =>
            Shim.Wrap(asrt_bernoulli(Handle, generator?.Handle ?? 0), this, generator);

        /// <summary>Indices drawn by the weights in the last dimension.</summary>
        public Tensor multinomial(long num_samples, bool replacement = false, Generator? generator = null) =>
            Shim.Wrap(asrt_multinomial(Handle, num_samples, replacement ? 1 : 0, generator?.Handle ?? 0), this, generator);

        public Tensor empty_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.empty_like(this, dtype, device, requires_grad);

        public Tensor zeros_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.zeros_like(this, dtype, device, requires_grad);

        public Tensor ones_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.ones_like(this, dtype, device, requires_grad);

        public Tensor full_like(Scalar value, ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.full_like(this, value, dtype, device, requires_grad);

        public Tensor rand_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.rand_like(this, dtype, device, requires_grad);

        public Tensor randn_like(ScalarType? dtype = null, Device? device = null, bool requires_grad = false) =>
            torch.randn_like(this, dtype, device, requires_grad);

        // --- views; lists of sizes come as spans so that a call allocates nothing, where TorchSharp takes arrays --------

        public Tensor view(params ReadOnlySpan<long> shape)
        {
            fixed (long* p = shape)
            {
                return Shim.Wrap(asrt_view(Handle, p, shape.Length), this);
            }
        }

        public Tensor view_as(Tensor other) => view(other.shape);

        public Tensor reshape(params ReadOnlySpan<long> shape)
        {
            fixed (long* p = shape)
            {
                return Shim.Wrap(asrt_reshape(Handle, p, shape.Length), this);
            }
        }

        public Tensor expand(params ReadOnlySpan<long> sizes)
        {
            fixed (long* p = sizes)
            {
                return Shim.Wrap(asrt_expand(Handle, p, sizes.Length, 0), this);
            }
        }

        public Tensor expand_as(Tensor other) => expand(other.shape);

        public Tensor broadcast_to(params ReadOnlySpan<long> shape)
        {
            fixed (long* p = shape)
            {
                return Shim.Wrap(asrt_broadcast_to(Handle, p, shape.Length), this);
            }
        }

        public Tensor permute(params ReadOnlySpan<long> permutation)
        {
            fixed (long* p = permutation)
            {
                return Shim.Wrap(asrt_permute(Handle, p, permutation.Length), this);
            }
        }

        public Tensor repeat(params ReadOnlySpan<long> sizes)
        {
            fixed (long* p = sizes)
            {
                return Shim.Wrap(asrt_repeat(Handle, p, sizes.Length), this);
            }
        }

        public Tensor flip(params ReadOnlySpan<long> dims)
        {
            fixed (long* p = dims)
            {
                return Shim.Wrap(asrt_flip(Handle, p, dims.Length), this);
            }
        }

        public Tensor roll(long shifts, long? dims = null) => dims is { } d ? roll([shifts], [d]) : roll([shifts], []);

        public Tensor roll(long[] shifts, long[] dims) => roll((ReadOnlySpan<long>)shifts, dims);

        public Tensor roll(ReadOnlySpan<long> shifts, ReadOnlySpan<long> dims = default)
        {
            fixed (long* s = shifts, p = dims)
            {
                return Shim.Wrap(asrt_roll(Handle, s, shifts.Length, p, dims.Length), this);
            }
        }

        public Tensor movedim(long[] source, long[] destination)
        {
            fixed (long* s = source, p = destination)
            {
                return Shim.Wrap(asrt_movedim(Handle, s, source.Length, p, destination.Length), this);
            }
        }

        public Tensor as_strided(long[] size, long[] strides, long storageOffset = 0)
        {
            fixed (long* s = size, p = strides)
            {
                return Shim.Wrap(asrt_as_strided(Handle, s, size.Length, p, strides.Length, storageOffset), this);
            }
        }

        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Shim.Wrap(asrt_flatten(Handle, start_dim, end_dim), this);

        public Tensor unflatten(long dim, params ReadOnlySpan<long> sizes)
        {
            fixed (long* p = sizes)
            {
                return Shim.Wrap(asrt_unflatten(Handle, dim, p, sizes.Length), this);
            }
        }

        public Tensor transpose(long dim0, long dim1) => Shim.Wrap(asrt_transpose(Handle, dim0, dim1), this);

        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);

        public Tensor t() => Shim.Wrap(asrt_t(Handle), this);

        /// <summary>The dimensions in reverse order.</summary>
        public Tensor T => Shim.Wrap(asrt_numpy_T(Handle), this);

        /// <summary>The last two dimensions exchanged.</summary>
        public Tensor mT => Shim.Wrap(asrt_mT(Handle), this);

        public Tensor squeeze(long? dim = null) => Shim.Wrap(asrt_squeeze(Handle, dim ?? 0, dim.HasValue ? 1 : 0), this);

        public Tensor squeeze_(long? dim = null) => Shim.Done(asrt_squeeze_(Handle, dim ?? 0, dim.HasValue ? 1 : 0), this);

        public Tensor unsqueeze(long dim) => Shim.Wrap(asrt_unsqueeze(Handle, dim), this);

        public Tensor unsqueeze_(long dim) => Shim.Done(asrt_unsqueeze_(Handle, dim), this);

        /// <summary><paramref name="length"/> entries of a dimension from <paramref name="start"/> on; a view.</summary>
        public Tensor narrow(long dim, long start, long length) => Shim.Wrap(asrt_narrow(Handle, dim, start, length), this);

        public Tensor select(long dim, long index) => Shim.Wrap(asrt_select(Handle, dim, index), this);

        public Tensor slice(long dim, long start, long finish, long step) => Shim.Wrap(asrt_slice(Handle, dim, start, finish, step), this);

        /// <summary>Windows of a dimension, as a new last dimension; a view.</summary>
        public Tensor unfold(long dimension, long size, long step) => Shim.Wrap(asrt_unfold(Handle, dimension, size, step), this);

        public Tensor diagonal(long offset = 0, long dim1 = 0, long dim2 = 1) => Shim.Wrap(asrt_diagonal(Handle, offset, dim1, dim2), this);

        public Tensor tril(long diagonal = 0) => Shim.Wrap(asrt_tril(Handle, diagonal), this);

        public Tensor tril_(long diagonal = 0) => Shim.Done(asrt_tril_(Handle, diagonal), this);

        public Tensor triu(long diagonal = 0) => Shim.Wrap(asrt_triu(Handle, diagonal), this);

        public Tensor triu_(long diagonal = 0) => Shim.Done(asrt_triu_(Handle, diagonal), this);

        public Tensor repeat_interleave(long repeats, long? dim = null) =>
            Shim.Wrap(asrt_repeat_interleave(Handle, repeats, dim ?? 0, dim.HasValue ? 1 : 0), this);

        // --- splits -----------------------------------------------------------------------------------------------------

        public Tensor[] split(long size, int dim = 0)
        {
            var handles = new nint[Math.Max(1, (this.size(dim) + Math.Max(1, size) - 1) / Math.Max(1, size))];
            fixed (nint* p = handles)
            {
                return Shim.Pieces(asrt_split(Handle, size, dim, p, handles.Length), handles, this);
            }
        }

        public Tensor[] split(long[] sizes, long dim = 0)
        {
            var handles = new nint[sizes.Length];
            fixed (long* s = sizes)
            fixed (nint* p = handles)
            {
                return Shim.Pieces(asrt_split_sizes(Handle, s, sizes.Length, dim, p, handles.Length), handles, this);
            }
        }

        public Tensor[] chunk(long chunks, long dim = 0)
        {
            var handles = new nint[Math.Max(1, chunks)];
            fixed (nint* p = handles)
            {
                return Shim.Pieces(asrt_chunk(Handle, chunks, dim, p, handles.Length), handles, this);
            }
        }

        public Tensor[] unbind(long dimension = 0)
        {
            var handles = new nint[size((int)dimension)];
            fixed (nint* p = handles)
            {
                return Shim.Pieces(asrt_unbind(Handle, dimension, p, handles.Length), handles, this);
            }
        }

        // --- indexing ---------------------------------------------------------------------------------------------------

        /// <summary>What the index expression selects; a view unless it holds a tensor.</summary>
        [SuppressMessage("Design", "CA1043:Use Integral Or String Argument For Indexers", Justification = "TorchSharp's indexer.")]
        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[params Tensor[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        public Tensor this[long i1]
        {
            get => select(0, i1);
            set => index_put_(value, (TensorIndex[])[i1]);
        }

        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        [SuppressMessage("Design", "CA1023:Indexers should not be multidimensional", Justification = "TorchSharp's indexer.")]
        public Tensor this[long i1, long i2]
        {
            get => index((TensorIndex[])[i1, i2]);
            set => index_put_(value, (TensorIndex[])[i1, i2]);
        }

        [System.Runtime.CompilerServices.IndexerName("TensorItems")]
        [SuppressMessage("Design", "CA1023:Indexers should not be multidimensional", Justification = "TorchSharp's indexer.")]
        public Tensor this[long i1, long i2, long i3]
        {
            get => index((TensorIndex[])[i1, i2, i3]);
            set => index_put_(value, (TensorIndex[])[i1, i2, i3]);
        }

        public Tensor index(params TensorIndex[] indices)
        {
            var native = Native(indices);
            fixed (NativeIndex* p = native)
            {
                return Shim.Wrap(asrt_index(Handle, p, native.Length), this, indices);
            }
        }

        public Tensor index(params Tensor[] indices) => index(AsIndices(indices));

        public Tensor index_put_(Tensor value, params TensorIndex[] indices)
        {
            var native = Native(indices);
            fixed (NativeIndex* p = native)
            {
                return Shim.Done(asrt_index_put_(Handle, p, native.Length, value.Handle), this, value, indices);
            }
        }

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            var native = Native(indices);
            fixed (NativeIndex* p = native)
            {
                return Shim.Done(asrt_index_put_scalar_(Handle, p, native.Length, value.Value), this, indices);
            }
        }

        public Tensor index_put_(Tensor value, params Tensor[] indices) => index_put_(value, indices, false);

        /// <summary>Writes, or adds with <paramref name="accumulate"/>, at the places that one tensor for each dimension names.</summary>
        public Tensor index_put_(Tensor value, Tensor[] indices, bool accumulate = false)
        {
            var handles = stackalloc nint[indices.Length];
            Shim.Handles(indices, new Span<nint>(handles, indices.Length));
            return Shim.Done(asrt_index_put_tensors_(Handle, handles, indices.Length, value.Handle, accumulate ? 1 : 0), this, value, indices);
        }

        public Tensor index_select(long dim, Tensor index) => Shim.Wrap(asrt_index_select(Handle, dim, index.Handle), this, index);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Shim.Done(asrt_index_add_(Handle, dim, index.Handle, source.Handle, alpha.Value), this, index, source);

        public Tensor index_copy_(long dim, Tensor index, Tensor source) =>
            Shim.Done(asrt_index_copy_(Handle, dim, index.Handle, source.Handle), this, index, source);

        public Tensor index_fill_(long dim, Tensor index, Scalar value) =>
            Shim.Done(asrt_index_fill_(Handle, dim, index.Handle, value.Value), this, index);

        public Tensor gather(long dim, Tensor index) => Shim.Wrap(asrt_gather(Handle, dim, index.Handle), this, index);

        public Tensor scatter(long dim, Tensor index, Tensor src) =>
            Shim.Wrap(asrt_scatter(Handle, dim, index.Handle, src.Handle), this, index, src);

        public Tensor scatter_(long dim, Tensor index, Tensor src) =>
            Shim.Done(asrt_scatter_(Handle, dim, index.Handle, src.Handle), this, index, src);

        public Tensor scatter_add(long dim, Tensor index, Tensor src) =>
            Shim.Wrap(asrt_scatter_add(Handle, dim, index.Handle, src.Handle), this, index, src);

        public Tensor scatter_add_(long dim, Tensor index, Tensor src) =>
            Shim.Done(asrt_scatter_add_(Handle, dim, index.Handle, src.Handle), this, index, src);

        /// <summary><paramref name="value"/> where the mask is true.</summary>
        public Tensor masked_fill(Tensor mask, Scalar value) => Shim.Wrap(asrt_masked_fill(Handle, mask.Handle, value.Value), this, mask);

        public Tensor masked_fill_(Tensor mask, Scalar value) => Shim.Done(asrt_masked_fill_(Handle, mask.Handle, value.Value), this, mask);

        public Tensor masked_select(Tensor mask) => Shim.Wrap(asrt_masked_select(Handle, mask.Handle), this, mask);

        /// <summary>The indices of elements that are not zero, a row each.</summary>
        public Tensor nonzero() => Shim.Wrap(asrt_nonzero(Handle), this);

        /// <summary>This tensor where the condition holds, <paramref name="y"/> elsewhere.</summary>
        public Tensor where(Tensor condition, Tensor y) => torch.where(condition, this, y);

        private Tensor Cast(int type, int deviceType, int deviceIndex, bool copy, bool disposeAfter, bool nonBlocking)
        {
            var result = Shim.Wrap(asrt_to(Handle, type, deviceType, deviceIndex, copy ? 1 : 0, nonBlocking ? 1 : 0), this);
            if (disposeAfter)
            {
                Dispose();
            }
            return result;
        }

        private static TensorIndex[] AsIndices(Tensor[] tensors) => Array.ConvertAll(tensors, TensorIndex.Tensor);

        private static NativeIndex[] Native(TensorIndex[] indices) => Array.ConvertAll(indices, i => i.ToNative());
    }
}
