using System.Runtime.InteropServices;

namespace AsrPlatform.LibTorch.Interop;

/// <summary>A number by value, as native/shim.h lays it out.</summary>
internal readonly struct Number
{
    public readonly long Kind;
    private readonly long _bits;

    private Number(long kind, long bits)
    {
        Kind = kind;
        _bits = bits;
    }

    public const long IntegerKind = 0;
    public const long RealKind = 1;
    public const long BoolKind = 2;

    public static Number None => new(3, 0);

    public static Number Of(long value) => new(IntegerKind, value);

    public static Number Of(double value) => new(RealKind, BitConverter.DoubleToInt64Bits(value));

    public static Number Of(bool value) => new(BoolKind, value ? 1 : 0);

    public double Real => Kind == RealKind ? BitConverter.Int64BitsToDouble(_bits) : _bits;

    public long Integer => Kind == RealKind ? (long)BitConverter.Int64BitsToDouble(_bits) : _bits;

    public bool Bool => Kind == RealKind ? BitConverter.Int64BitsToDouble(_bits) != 0 : _bits != 0;
}

/// <summary>One index, as native/shape.cpp lays it out.</summary>
internal struct NativeIndex
{
    public long Kind;
    public long Given;
    public long Start;
    public long Stop;
    public long Step;
    public nint Tensor;
}

/// <summary>
/// The shim's exports, blittable one and all. The conventions stand in native/shim.h. The getters that take nanoseconds
/// and never block skip the garbage collector's transition.
/// </summary>
internal static unsafe partial class NativeMethods
{
    internal const string Library = "asrtorch";

    // Runtime
    [LibraryImport(Library)] internal static partial byte* asrt_last_error();
    [LibraryImport(Library)] internal static partial int asrt_abi();
    [LibraryImport(Library)] internal static partial int asrt_torch_version();
    [LibraryImport(Library)] internal static partial byte* asrt_torch_version_text();
    [LibraryImport(Library)] internal static partial byte* asrt_show_config();
    [LibraryImport(Library)] internal static partial int asrt_onednn_trusted();
    [LibraryImport(Library)] internal static partial int asrt_onednn_enabled();
    [LibraryImport(Library)] internal static partial void asrt_onednn_enable(int on);
    [LibraryImport(Library)] internal static partial int asrt_set_num_threads(int count);
    [LibraryImport(Library)] internal static partial int asrt_get_num_threads();
    [LibraryImport(Library)] internal static partial int asrt_set_num_interop_threads(int count);
    [LibraryImport(Library)] internal static partial int asrt_get_num_interop_threads();
    [LibraryImport(Library)] internal static partial void asrt_cpu_memory(long* result);
    [LibraryImport(Library)] internal static partial void asrt_cpu_memory_reset_peak();
    [LibraryImport(Library)] internal static partial void asrt_cpu_memory_release();
    [LibraryImport(Library)] internal static partial int asrt_cuda_is_available();
    [LibraryImport(Library)] internal static partial int asrt_cuda_device_count();
    [LibraryImport(Library)] internal static partial int asrt_cudnn_is_available();
    [LibraryImport(Library)] internal static partial int asrt_cuda_synchronize(long device);
    [LibraryImport(Library)] internal static partial int asrt_cuda_manual_seed_all(long seed);
    [LibraryImport(Library)] internal static partial int asrt_cuda_memory(int device, long* result);
    [LibraryImport(Library)] internal static partial int asrt_cuda_memory_reset_peak(int device);
    [LibraryImport(Library)] internal static partial int asrt_cuda_memory_release();
    [LibraryImport(Library)] internal static partial int asrt_allow_tf32(int which, int set, int* value);
    [LibraryImport(Library)] internal static partial nint asrt_generator_new(long seed, int deviceType, int deviceIndex);
    [LibraryImport(Library)] internal static partial nint asrt_generator_default(int deviceType, int deviceIndex);
    [LibraryImport(Library)] internal static partial void asrt_generator_free(nint g);
    [LibraryImport(Library)] internal static partial int asrt_generator_seed(nint g, long seed);
    [LibraryImport(Library)] internal static partial int asrt_generator_new_seed(nint g, long* seed);
    [LibraryImport(Library)] internal static partial int asrt_generator_initial_seed(nint g, long* seed);
    [LibraryImport(Library)] internal static partial nint asrt_generator_state(nint g);
    [LibraryImport(Library)] internal static partial int asrt_generator_set_state(nint g, nint state);
    [LibraryImport(Library)] internal static partial int asrt_manual_seed(long seed);

    // Tensors and factories
    [LibraryImport(Library)] internal static partial void asrt_free(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_alias(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_dim(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_numel(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_element_size(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int asrt_dtype(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int asrt_device(nint t, int* index);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_sizes(nint t, long* result, long capacity);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_strides(nint t, long* result, long capacity);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial long asrt_storage_offset(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int asrt_is_contiguous(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int asrt_is_leaf(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial int asrt_requires_grad(nint t);
    [SuppressGCTransition, LibraryImport(Library)] internal static partial void* asrt_data(nint t);
    [LibraryImport(Library)] internal static partial int asrt_item(nint t, Number* result);
    [LibraryImport(Library)] internal static partial nint asrt_empty(long* size, int n, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_zeros(long* size, int n, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_ones(long* size, int n, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_full(long* size, int n, Number value, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_rand(long* size, int n, nint g, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_randn(long* size, int n, nint g, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_randint(long low, long high, long* size, int n, nint g, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_randperm(long count, nint g, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_arange(Number start, Number stop, Number step, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_linspace(double start, double end, long steps, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_eye(long rows, long columns, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_hann_window(long length, int periodic, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_from_bytes(void* bytes, long* size, int n, int sourceType, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_empty_like(nint t, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_zeros_like(nint t, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_ones_like(nint t, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_full_like(nint t, Number value, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_rand_like(nint t, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_randn_like(nint t, int dtype, int deviceType, int deviceIndex, int grad);
    [LibraryImport(Library)] internal static partial nint asrt_to(nint t, int dtype, int deviceType, int deviceIndex, int copy, int nonBlocking);
    [LibraryImport(Library)] internal static partial nint asrt_clone(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_contiguous(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_pin_memory(nint t);
    [LibraryImport(Library)] internal static partial int asrt_copy_(nint t, nint source, int nonBlocking);
    [LibraryImport(Library)] internal static partial int asrt_set_(nint t, nint source);
    [LibraryImport(Library)] internal static partial int asrt_fill_(nint t, Number value);
    [LibraryImport(Library)] internal static partial int asrt_zero_(nint t);
    [LibraryImport(Library)] internal static partial int asrt_normal_(nint t, double mean, double std, nint g);
    [LibraryImport(Library)] internal static partial int asrt_uniform_(nint t, double low, double to, nint g);
    [LibraryImport(Library)] internal static partial int asrt_bernoulli_(nint t, double p, nint g);
    [LibraryImport(Library)] internal static partial nint asrt_bernoulli(nint t, nint g);
    [LibraryImport(Library)] internal static partial nint asrt_multinomial(nint t, long samples, int replacement, nint g);

    // Shape
    [LibraryImport(Library)] internal static partial nint asrt_view(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_reshape(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_expand(nint t, long* dims, int n, int isImplicit);
    [LibraryImport(Library)] internal static partial nint asrt_permute(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_repeat(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_flip(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_roll(nint t, long* shifts, int count, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_broadcast_to(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_movedim(nint t, long* low, int count, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_unflatten(nint t, long dim, long* dims, int n);
    [LibraryImport(Library)] internal static partial nint asrt_as_strided(nint t, long* dims, int n, long* strides, int count, long offset);
    [LibraryImport(Library)] internal static partial nint asrt_flatten(nint t, long start, long end);
    [LibraryImport(Library)] internal static partial nint asrt_transpose(nint t, long a, long b);
    [LibraryImport(Library)] internal static partial nint asrt_t(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_numpy_T(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_mT(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_squeeze(nint t, long dim, int given);
    [LibraryImport(Library)] internal static partial nint asrt_unsqueeze(nint t, long dim);
    [LibraryImport(Library)] internal static partial int asrt_squeeze_(nint t, long dim, int given);
    [LibraryImport(Library)] internal static partial int asrt_unsqueeze_(nint t, long dim);
    [LibraryImport(Library)] internal static partial nint asrt_narrow(nint t, long dim, long start, long length);
    [LibraryImport(Library)] internal static partial nint asrt_select(nint t, long dim, long index);
    [LibraryImport(Library)] internal static partial nint asrt_slice(nint t, long dim, long start, long end, long step);
    [LibraryImport(Library)] internal static partial nint asrt_unfold(nint t, long dim, long size, long step);
    [LibraryImport(Library)] internal static partial nint asrt_diagonal(nint t, long offset, long a, long b);
    [LibraryImport(Library)] internal static partial nint asrt_cat(nint* list, int count, long dim);
    [LibraryImport(Library)] internal static partial nint asrt_stack(nint* list, int count, long dim);
    [LibraryImport(Library)] internal static partial int asrt_split(nint t, long size, long dim, nint* result, int capacity);
    [LibraryImport(Library)] internal static partial int asrt_split_sizes(nint t, long* sizes, int count, long dim, nint* result, int capacity);
    [LibraryImport(Library)] internal static partial int asrt_chunk(nint t, long chunks, long dim, nint* result, int capacity);
    [LibraryImport(Library)] internal static partial int asrt_unbind(nint t, long dim, nint* result, int capacity);
    [LibraryImport(Library)] internal static partial int asrt_where_indices(nint t, nint* result, int capacity);
    [LibraryImport(Library)] internal static partial nint asrt_index(nint t, NativeIndex* list, int count);
    [LibraryImport(Library)] internal static partial int asrt_index_put_(nint t, NativeIndex* list, int count, nint value);
    [LibraryImport(Library)] internal static partial int asrt_index_put_scalar_(nint t, NativeIndex* list, int count, Number value);
    [LibraryImport(Library)] internal static partial int asrt_index_put_tensors_(nint t, nint* list, int count, nint value, int accumulate);
    [LibraryImport(Library)] internal static partial nint asrt_index_select(nint t, long dim, nint index);
    [LibraryImport(Library)] internal static partial int asrt_index_add_(nint t, long dim, nint index, nint source, Number alpha);
    [LibraryImport(Library)] internal static partial int asrt_index_copy_(nint t, long dim, nint index, nint source);
    [LibraryImport(Library)] internal static partial int asrt_index_fill_(nint t, long dim, nint index, Number value);
    [LibraryImport(Library)] internal static partial nint asrt_gather(nint t, long dim, nint index);
    [LibraryImport(Library)] internal static partial nint asrt_scatter(nint t, long dim, nint index, nint source);
    [LibraryImport(Library)] internal static partial int asrt_scatter_(nint t, long dim, nint index, nint source);
    [LibraryImport(Library)] internal static partial nint asrt_scatter_add(nint t, long dim, nint index, nint source);
    [LibraryImport(Library)] internal static partial int asrt_scatter_add_(nint t, long dim, nint index, nint source);
    [LibraryImport(Library)] internal static partial nint asrt_masked_fill(nint t, nint mask, Number value);
    [LibraryImport(Library)] internal static partial int asrt_masked_fill_(nint t, nint mask, Number value);
    [LibraryImport(Library)] internal static partial nint asrt_masked_select(nint t, nint mask);
    [LibraryImport(Library)] internal static partial nint asrt_nonzero(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_where(nint condition, nint x, nint y);
    [LibraryImport(Library)] internal static partial nint asrt_repeat_interleave(nint t, long repeats, long dim, int given);
    [LibraryImport(Library)] internal static partial nint asrt_tril(nint t, long diagonal);
    [LibraryImport(Library)] internal static partial nint asrt_triu(nint t, long diagonal);
    [LibraryImport(Library)] internal static partial int asrt_tril_(nint t, long diagonal);
    [LibraryImport(Library)] internal static partial int asrt_triu_(nint t, long diagonal);

    // Math
    [LibraryImport(Library)] internal static partial nint asrt_abs(nint t);
    [LibraryImport(Library)] internal static partial int asrt_abs_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_neg(nint t);
    [LibraryImport(Library)] internal static partial int asrt_neg_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_exp(nint t);
    [LibraryImport(Library)] internal static partial int asrt_exp_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_expm1(nint t);
    [LibraryImport(Library)] internal static partial int asrt_expm1_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_log(nint t);
    [LibraryImport(Library)] internal static partial int asrt_log_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_log2(nint t);
    [LibraryImport(Library)] internal static partial int asrt_log2_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_log10(nint t);
    [LibraryImport(Library)] internal static partial int asrt_log10_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_log1p(nint t);
    [LibraryImport(Library)] internal static partial int asrt_log1p_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_sqrt(nint t);
    [LibraryImport(Library)] internal static partial int asrt_sqrt_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_rsqrt(nint t);
    [LibraryImport(Library)] internal static partial int asrt_rsqrt_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_reciprocal(nint t);
    [LibraryImport(Library)] internal static partial int asrt_reciprocal_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_sin(nint t);
    [LibraryImport(Library)] internal static partial int asrt_sin_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_cos(nint t);
    [LibraryImport(Library)] internal static partial int asrt_cos_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_tanh(nint t);
    [LibraryImport(Library)] internal static partial int asrt_tanh_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_sigmoid(nint t);
    [LibraryImport(Library)] internal static partial int asrt_sigmoid_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_relu(nint t);
    [LibraryImport(Library)] internal static partial int asrt_relu_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_erf(nint t);
    [LibraryImport(Library)] internal static partial int asrt_erf_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_floor(nint t);
    [LibraryImport(Library)] internal static partial int asrt_floor_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_ceil(nint t);
    [LibraryImport(Library)] internal static partial int asrt_ceil_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_round(nint t);
    [LibraryImport(Library)] internal static partial int asrt_round_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_trunc(nint t);
    [LibraryImport(Library)] internal static partial int asrt_trunc_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_sign(nint t);
    [LibraryImport(Library)] internal static partial int asrt_sign_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_logical_not(nint t);
    [LibraryImport(Library)] internal static partial int asrt_logical_not_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_bitwise_not(nint t);
    [LibraryImport(Library)] internal static partial int asrt_bitwise_not_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_square(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_isnan(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_isinf(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_isfinite(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_silu(nint t);
    [LibraryImport(Library)] internal static partial int asrt_silu_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_real(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_imag(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_view_as_real(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_mul(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_mul_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_mul_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_mul_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_sub(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_sub_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_sub_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_sub_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_pow(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_pow_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_pow_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_pow_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_remainder(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_remainder_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_remainder_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_remainder_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_fmod(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_fmod_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_fmod_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_fmod_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_eq(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_eq_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_eq_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_eq_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_ne(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_ne_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_ne_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_ne_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_lt(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_lt_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_lt_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_lt_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_le(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_le_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_le_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_le_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_gt(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_gt_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_gt_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_gt_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_ge(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_ge_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_ge_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial int asrt_ge_scalar_(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_logical_and(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_logical_and_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_logical_or(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_logical_or_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_logical_xor(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_logical_xor_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_bitwise_and(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_bitwise_and_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_bitwise_or(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_bitwise_or_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_bitwise_xor(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_bitwise_xor_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_atan2(nint a, nint b);
    [LibraryImport(Library)] internal static partial int asrt_atan2_(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_maximum(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_minimum(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_matmul(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_mm(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_bmm(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_mv(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_dot(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_outer(nint a, nint b);
    [LibraryImport(Library)] internal static partial nint asrt_add(nint a, nint b, Number alpha);
    [LibraryImport(Library)] internal static partial int asrt_add_(nint a, nint b, Number alpha);
    [LibraryImport(Library)] internal static partial nint asrt_add_scalar(nint a, Number b, Number alpha);
    [LibraryImport(Library)] internal static partial int asrt_add_scalar_(nint a, Number b, Number alpha);
    [LibraryImport(Library)] internal static partial nint asrt_rsub_scalar(nint a, Number b);
    [LibraryImport(Library)] internal static partial nint asrt_rpow_scalar(Number number, nint exponent);
    [LibraryImport(Library)] internal static partial nint asrt_div(nint a, nint b, int rounding);
    [LibraryImport(Library)] internal static partial int asrt_div_(nint a, nint b, int rounding);
    [LibraryImport(Library)] internal static partial nint asrt_div_scalar(nint a, Number b, int rounding);
    [LibraryImport(Library)] internal static partial int asrt_div_scalar_(nint a, Number b, int rounding);
    [LibraryImport(Library)] internal static partial nint asrt_clamp(nint t, Number low, Number high);
    [LibraryImport(Library)] internal static partial int asrt_clamp_(nint t, Number low, Number high);
    [LibraryImport(Library)] internal static partial nint asrt_clamp_tensor(nint t, nint low, nint high);
    [LibraryImport(Library)] internal static partial int asrt_clamp_tensor_(nint t, nint low, nint high);
    [LibraryImport(Library)] internal static partial nint asrt_lerp(nint t, nint end, nint weight);
    [LibraryImport(Library)] internal static partial int asrt_lerp_(nint t, nint end, nint weight);
    [LibraryImport(Library)] internal static partial nint asrt_addcmul(nint t, nint a, nint b, Number value);
    [LibraryImport(Library)] internal static partial int asrt_addcmul_(nint t, nint a, nint b, Number value);
    [LibraryImport(Library)] internal static partial nint asrt_addcdiv(nint t, nint a, nint b, Number value);
    [LibraryImport(Library)] internal static partial int asrt_addcdiv_(nint t, nint a, nint b, Number value);
    [LibraryImport(Library)] internal static partial nint asrt_addmm(nint t, nint a, nint b, float beta, float alpha);
    [LibraryImport(Library)] internal static partial int asrt_addmm_(nint t, nint a, nint b, float beta, float alpha);
    [LibraryImport(Library)] internal static partial nint asrt_baddbmm(nint t, nint a, nint b, float beta, float alpha);
    [LibraryImport(Library)] internal static partial int asrt_allclose(nint a, nint b, double relative, double absolute, int equalNan, int* result);
    [LibraryImport(Library)] internal static partial int asrt_equal(nint a, nint b, int* result);
    [LibraryImport(Library)] internal static partial nint asrt_sum(nint t, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_sum_dims(nint t, long* dims, int n, int keep, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_mean(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_mean_dims(nint t, long* dims, int n, int keep, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_prod(nint t, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_std(nint t, int unbiased);
    [LibraryImport(Library)] internal static partial nint asrt_std_dims(nint t, long* dims, int n, int keep, int unbiased);
    [LibraryImport(Library)] internal static partial nint asrt_var(nint t, int unbiased);
    [LibraryImport(Library)] internal static partial nint asrt_var_dims(nint t, long* dims, int n, int keep, int unbiased);
    [LibraryImport(Library)] internal static partial nint asrt_amax(nint t, long* dims, int n, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_amin(nint t, long* dims, int n, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_norm(nint t, double p);
    [LibraryImport(Library)] internal static partial nint asrt_norm_dim(nint t, double p, long dim, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_max(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_min(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_all(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_any(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_all_dim(nint t, long dim, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_any_dim(nint t, long dim, int keep);
    [LibraryImport(Library)] internal static partial int asrt_max_dim(nint t, long dim, int keep, nint* values, nint* indices);
    [LibraryImport(Library)] internal static partial int asrt_min_dim(nint t, long dim, int keep, nint* values, nint* indices);
    [LibraryImport(Library)] internal static partial nint asrt_argmax(nint t, long dim, int given, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_argmin(nint t, long dim, int given, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_logsumexp(nint t, long dim, int keep);
    [LibraryImport(Library)] internal static partial nint asrt_cumsum(nint t, long dim, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_count_nonzero(nint t, long* dims, int n);
    [LibraryImport(Library)] internal static partial int asrt_topk(nint t, long k, long dim, int largest, int sorted, nint* values, nint* indices);
    [LibraryImport(Library)] internal static partial int asrt_sort(nint t, long dim, int descending, int stable, nint* values, nint* indices);
    [LibraryImport(Library)] internal static partial nint asrt_argsort(nint t, long dim, int descending);
    [LibraryImport(Library)] internal static partial nint asrt_fft_rfft(nint t, long n, long dim, int norm);
    [LibraryImport(Library)] internal static partial nint asrt_fft_irfft(nint t, long n, long dim, int norm);

    // Functional
    [LibraryImport(Library)] internal static partial nint asrt_linear(nint input, nint weight, nint bias);
    [LibraryImport(Library)] internal static partial nint asrt_conv1d(nint input, nint weight, nint bias, long stride, long padding, long dilation, long groups);
    [LibraryImport(Library)] internal static partial nint asrt_layer_norm(nint input, long* shape, int n, nint weight, nint bias, double eps);
    [LibraryImport(Library)] internal static partial nint asrt_gelu(nint t);
    [LibraryImport(Library)] internal static partial int asrt_gelu_(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_softmax(nint t, long dim, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_log_softmax(nint t, long dim, int dtype);
    [LibraryImport(Library)] internal static partial nint asrt_scaled_dot_product_attention(nint query, nint key, nint value, nint mask, double dropout, int causal);
    [LibraryImport(Library)] internal static partial nint asrt_cross_entropy(nint input, nint target, nint weight, long reduction, long ignoreIndex, double labelSmoothing);
    [LibraryImport(Library)] internal static partial nint asrt_nll_loss(nint input, nint target, nint weight, long reduction);
    [LibraryImport(Library)] internal static partial nint asrt_mse_loss(nint input, nint target, long reduction);
    [LibraryImport(Library)] internal static partial nint asrt_kl_div(nint input, nint target, long reduction, int logTarget);
    [LibraryImport(Library)] internal static partial nint asrt_ctc_loss(nint logProbs, nint targets, nint inputLengths, nint targetLengths, long blank, long reduction, int zeroInfinity);
    [LibraryImport(Library)] internal static partial nint asrt_dropout(nint t, double p, int training);
    [LibraryImport(Library)] internal static partial int asrt_dropout_(nint t, double p, int training);
    [LibraryImport(Library)] internal static partial nint asrt_one_hot(nint t, long classes);
    [LibraryImport(Library)] internal static partial nint asrt_pad(nint t, long* pad, int n, int mode, double value);

    // Autograd
    [LibraryImport(Library)] internal static partial int asrt_set_requires_grad(nint t, int on);
    [LibraryImport(Library)] internal static partial int asrt_retain_grad(nint t);
    [LibraryImport(Library)] internal static partial nint asrt_grad(nint t, int* status);
    [LibraryImport(Library)] internal static partial int asrt_set_grad(nint t, nint gradient);
    [LibraryImport(Library)] internal static partial nint asrt_detach(nint t);
    [LibraryImport(Library)] internal static partial int asrt_detach_(nint t);
    [LibraryImport(Library)] internal static partial int asrt_backward(nint* outputs, int count, nint* gradients, int gradientCount, int retainGraph, int createGraph, nint* inputs, int inputCount);
    [LibraryImport(Library)] internal static partial int asrt_autograd_grad(nint* outputs, int count, nint* inputs, int inputCount, nint* gradients, int gradientCount, int retainGraph, int createGraph, int allowUnused, nint* result);
    [LibraryImport(Library)] internal static partial int asrt_grad_enabled();
    [LibraryImport(Library)] internal static partial void asrt_set_grad_enabled(int on);
    [LibraryImport(Library)] internal static partial int asrt_inference_mode_enabled();
    [LibraryImport(Library)] internal static partial nint asrt_inference_mode_enter(int on);
    [LibraryImport(Library)] internal static partial void asrt_inference_mode_leave(nint guard);
}
