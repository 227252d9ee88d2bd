using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch;

public static unsafe partial class torch
{
    public sealed partial class Tensor
    {
        // --- element by element ---------------------------------------------------------------------------------------

        public Tensor abs() => Shim.Wrap(asrt_abs(Handle), this);

        public Tensor abs_() => Shim.Done(asrt_abs_(Handle), this);

        public Tensor neg() => Shim.Wrap(asrt_neg(Handle), this);

        public Tensor neg_() => Shim.Done(asrt_neg_(Handle), this);

        public Tensor exp() => Shim.Wrap(asrt_exp(Handle), this);

        public Tensor exp_() => Shim.Done(asrt_exp_(Handle), this);

        public Tensor expm1() => Shim.Wrap(asrt_expm1(Handle), this);

        public Tensor expm1_() => Shim.Done(asrt_expm1_(Handle), this);

        public Tensor log() => Shim.Wrap(asrt_log(Handle), this);

        public Tensor log_() => Shim.Done(asrt_log_(Handle), this);

        public Tensor log2() => Shim.Wrap(asrt_log2(Handle), this);

        public Tensor log2_() => Shim.Done(asrt_log2_(Handle), this);

        public Tensor log10() => Shim.Wrap(asrt_log10(Handle), this);

        public Tensor log10_() => Shim.Done(asrt_log10_(Handle), this);

        public Tensor log1p() => Shim.Wrap(asrt_log1p(Handle), this);

        public Tensor log1p_() => Shim.Done(asrt_log1p_(Handle), this);

        public Tensor sqrt() => Shim.Wrap(asrt_sqrt(Handle), this);

        public Tensor sqrt_() => Shim.Done(asrt_sqrt_(Handle), this);

        public Tensor rsqrt() => Shim.Wrap(asrt_rsqrt(Handle), this);

        public Tensor rsqrt_() => Shim.Done(asrt_rsqrt_(Handle), this);

        public Tensor reciprocal() => Shim.Wrap(asrt_reciprocal(Handle), this);

        public Tensor reciprocal_() => Shim.Done(asrt_reciprocal_(Handle), this);

        public Tensor sin() => Shim.Wrap(asrt_sin(Handle), this);

        public Tensor sin_() => Shim.Done(asrt_sin_(Handle), this);

        public Tensor cos() => Shim.Wrap(asrt_cos(Handle), this);

        public Tensor cos_() => Shim.Done(asrt_cos_(Handle), this);

        public Tensor tanh() => Shim.Wrap(asrt_tanh(Handle), this);

        public Tensor tanh_() => Shim.Done(asrt_tanh_(Handle), this);

        public Tensor sigmoid() => Shim.Wrap(asrt_sigmoid(Handle), this);

        public Tensor sigmoid_() => Shim.Done(asrt_sigmoid_(Handle), this);

        public Tensor relu() => Shim.Wrap(asrt_relu(Handle), this);

        public Tensor relu_() => Shim.Done(asrt_relu_(Handle), this);

        public Tensor silu() => Shim.Wrap(asrt_silu(Handle), this);

        public Tensor silu_() => Shim.Done(asrt_silu_(Handle), this);

        public Tensor erf() => Shim.Wrap(asrt_erf(Handle), this);

        public Tensor erf_() => Shim.Done(asrt_erf_(Handle), this);

        /// <summary>x times the normal distribution function of x: the exact form, no approximation.</summary>
        public Tensor gelu() => Shim.Wrap(asrt_gelu(Handle), this);

        public Tensor gelu_() => Shim.Done(asrt_gelu_(Handle), this);

        public Tensor floor() => Shim.Wrap(asrt_floor(Handle), this);

        public Tensor floor_() => Shim.Done(asrt_floor_(Handle), this);

        public Tensor ceil() => Shim.Wrap(asrt_ceil(Handle), this);

        public Tensor ceil_() => Shim.Done(asrt_ceil_(Handle), this);

        public Tensor trunc() => Shim.Wrap(asrt_trunc(Handle), this);

        public Tensor trunc_() => Shim.Done(asrt_trunc_(Handle), this);

        public Tensor sign() => Shim.Wrap(asrt_sign(Handle), this);

        public Tensor sign_() => Shim.Done(asrt_sign_(Handle), this);

        public Tensor logical_not() => Shim.Wrap(asrt_logical_not(Handle), this);

        public Tensor logical_not_() => Shim.Done(asrt_logical_not_(Handle), this);

        public Tensor bitwise_not() => Shim.Wrap(asrt_bitwise_not(Handle), this);

        public Tensor bitwise_not_() => Shim.Done(asrt_bitwise_not_(Handle), this);

        public Tensor square() => Shim.Wrap(asrt_square(Handle), this);

        public Tensor isnan() => Shim.Wrap(asrt_isnan(Handle), this);

        public Tensor isinf() => Shim.Wrap(asrt_isinf(Handle), this);

        public Tensor isfinite() => Shim.Wrap(asrt_isfinite(Handle), this);

        public Tensor view_as_real() => Shim.Wrap(asrt_view_as_real(Handle), this);

        /// <summary>To the nearest whole number, halves to the even one.</summary>
        public Tensor round() => Shim.Wrap(asrt_round(Handle), this);

        public Tensor round_() => Shim.Done(asrt_round_(Handle), this);

        public Tensor real => Shim.Wrap(asrt_real(Handle), this);

        public Tensor imag => Shim.Wrap(asrt_imag(Handle), this);

        // --- two operands -----------------------------------------------------------------------------------------------

        public Tensor add(Tensor target) => add(target, 1);

        /// <summary>This plus <paramref name="alpha"/> times <paramref name="target"/>.</summary>
        public Tensor add(Tensor target, Scalar alpha) => Shim.Wrap(asrt_add(Handle, target.Handle, alpha.Value), this, target);

        public Tensor add(Scalar scalar) => add(scalar, 1);

        public Tensor add(Scalar scalar, Scalar alpha) => Shim.Wrap(asrt_add_scalar(Handle, scalar.Value, alpha.Value), this);

        public Tensor add_(Tensor target) => add_(target, 1);

        public Tensor add_(Tensor target, Scalar alpha) => Shim.Done(asrt_add_(Handle, target.Handle, alpha.Value), this, target);

        public Tensor add_(Scalar scalar) => add_(scalar, 1);

        public Tensor add_(Scalar scalar, Scalar alpha) => Shim.Done(asrt_add_scalar_(Handle, scalar.Value, alpha.Value), this);

        public Tensor div(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Shim.Wrap(asrt_div(Handle, target.Handle, (int)rounding_mode), this, target);

        public Tensor div(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Shim.Wrap(asrt_div_scalar(Handle, target.Value, (int)rounding_mode), this);

        public Tensor div_(Tensor target, RoundingMode rounding_mode = RoundingMode.None) =>
            Shim.Done(asrt_div_(Handle, target.Handle, (int)rounding_mode), this, target);

        public Tensor div_(Scalar target, RoundingMode rounding_mode = RoundingMode.None) =>
            Shim.Done(asrt_div_scalar_(Handle, target.Value, (int)rounding_mode), this);

        public Tensor mul(Tensor target) => Shim.Wrap(asrt_mul(Handle, target.Handle), this, target);

        public Tensor mul(Scalar target) => Shim.Wrap(asrt_mul_scalar(Handle, target.Value), this);

        public Tensor mul_(Tensor target) => Shim.Done(asrt_mul_(Handle, target.Handle), this, target);

        public Tensor mul_(Scalar target) => Shim.Done(asrt_mul_scalar_(Handle, target.Value), this);

        public Tensor sub(Tensor target) => Shim.Wrap(asrt_sub(Handle, target.Handle), this, target);

        public Tensor sub(Scalar target) => Shim.Wrap(asrt_sub_scalar(Handle, target.Value), this);

        public Tensor sub_(Tensor target) => Shim.Done(asrt_sub_(Handle, target.Handle), this, target);

        public Tensor sub_(Scalar target) => Shim.Done(asrt_sub_scalar_(Handle, target.Value), this);

        public Tensor pow(Tensor exponent) => Shim.Wrap(asrt_pow(Handle, exponent.Handle), this, exponent);

        public Tensor pow(Scalar exponent) => Shim.Wrap(asrt_pow_scalar(Handle, exponent.Value), this);

        public Tensor pow_(Tensor exponent) => Shim.Done(asrt_pow_(Handle, exponent.Handle), this, exponent);

        public Tensor pow_(Scalar exponent) => Shim.Done(asrt_pow_scalar_(Handle, exponent.Value), this);

        public Tensor remainder(Tensor target) => Shim.Wrap(asrt_remainder(Handle, target.Handle), this, target);

        public Tensor remainder(Scalar scalar) => Shim.Wrap(asrt_remainder_scalar(Handle, scalar.Value), this);

        public Tensor remainder_(Tensor target) => Shim.Done(asrt_remainder_(Handle, target.Handle), this, target);

        public Tensor remainder_(Scalar scalar) => Shim.Done(asrt_remainder_scalar_(Handle, scalar.Value), this);

        public Tensor fmod(Tensor target) => Shim.Wrap(asrt_fmod(Handle, target.Handle), this, target);

        public Tensor fmod(Scalar scalar) => Shim.Wrap(asrt_fmod_scalar(Handle, scalar.Value), this);

        public Tensor fmod_(Tensor target) => Shim.Done(asrt_fmod_(Handle, target.Handle), this, target);

        public Tensor fmod_(Scalar scalar) => Shim.Done(asrt_fmod_scalar_(Handle, scalar.Value), this);

        public Tensor eq(Tensor target) => Shim.Wrap(asrt_eq(Handle, target.Handle), this, target);

        public Tensor eq(Scalar target) => Shim.Wrap(asrt_eq_scalar(Handle, target.Value), this);

        public Tensor eq_(Tensor target) => Shim.Done(asrt_eq_(Handle, target.Handle), this, target);

        public Tensor eq_(Scalar target) => Shim.Done(asrt_eq_scalar_(Handle, target.Value), this);

        public Tensor ne(Tensor target) => Shim.Wrap(asrt_ne(Handle, target.Handle), this, target);

        public Tensor ne(Scalar target) => Shim.Wrap(asrt_ne_scalar(Handle, target.Value), this);

        public Tensor ne_(Tensor target) => Shim.Done(asrt_ne_(Handle, target.Handle), this, target);

        public Tensor ne_(Scalar target) => Shim.Done(asrt_ne_scalar_(Handle, target.Value), this);

        public Tensor lt(Tensor target) => Shim.Wrap(asrt_lt(Handle, target.Handle), this, target);

        public Tensor lt(Scalar target) => Shim.Wrap(asrt_lt_scalar(Handle, target.Value), this);

        public Tensor lt_(Tensor target) => Shim.Done(asrt_lt_(Handle, target.Handle), this, target);

        public Tensor lt_(Scalar target) => Shim.Done(asrt_lt_scalar_(Handle, target.Value), this);

        public Tensor le(Tensor target) => Shim.Wrap(asrt_le(Handle, target.Handle), this, target);

        public Tensor le(Scalar target) => Shim.Wrap(asrt_le_scalar(Handle, target.Value), this);

        public Tensor le_(Tensor target) => Shim.Done(asrt_le_(Handle, target.Handle), this, target);

        public Tensor le_(Scalar target) => Shim.Done(asrt_le_scalar_(Handle, target.Value), this);

        public Tensor gt(Tensor target) => Shim.Wrap(asrt_gt(Handle, target.Handle), this, target);

        public Tensor gt(Scalar target) => Shim.Wrap(asrt_gt_scalar(Handle, target.Value), this);

        public Tensor gt_(Tensor target) => Shim.Done(asrt_gt_(Handle, target.Handle), this, target);

        public Tensor gt_(Scalar target) => Shim.Done(asrt_gt_scalar_(Handle, target.Value), this);

        public Tensor ge(Tensor target) => Shim.Wrap(asrt_ge(Handle, target.Handle), this, target);

        public Tensor ge(Scalar target) => Shim.Wrap(asrt_ge_scalar(Handle, target.Value), this);

        public Tensor ge_(Tensor target) => Shim.Done(asrt_ge_(Handle, target.Handle), this, target);

        public Tensor ge_(Scalar target) => Shim.Done(asrt_ge_scalar_(Handle, target.Value), this);

        public Tensor logical_and(Tensor other) => Shim.Wrap(asrt_logical_and(Handle, other.Handle), this, other);

        public Tensor logical_and_(Tensor other) => Shim.Done(asrt_logical_and_(Handle, other.Handle), this, other);

        public Tensor logical_or(Tensor other) => Shim.Wrap(asrt_logical_or(Handle, other.Handle), this, other);

        public Tensor logical_or_(Tensor other) => Shim.Done(asrt_logical_or_(Handle, other.Handle), this, other);

        public Tensor logical_xor(Tensor other) => Shim.Wrap(asrt_logical_xor(Handle, other.Handle), this, other);

        public Tensor logical_xor_(Tensor other) => Shim.Done(asrt_logical_xor_(Handle, other.Handle), this, other);

        public Tensor bitwise_and(Tensor other) => Shim.Wrap(asrt_bitwise_and(Handle, other.Handle), this, other);

        public Tensor bitwise_and_(Tensor other) => Shim.Done(asrt_bitwise_and_(Handle, other.Handle), this, other);

        public Tensor bitwise_or(Tensor other) => Shim.Wrap(asrt_bitwise_or(Handle, other.Handle), this, other);

        public Tensor bitwise_or_(Tensor other) => Shim.Done(asrt_bitwise_or_(Handle, other.Handle), this, other);

        public Tensor bitwise_xor(Tensor other) => Shim.Wrap(asrt_bitwise_xor(Handle, other.Handle), this, other);

        public Tensor bitwise_xor_(Tensor other) => Shim.Done(asrt_bitwise_xor_(Handle, other.Handle), this, other);

        public Tensor atan2(Tensor other) => Shim.Wrap(asrt_atan2(Handle, other.Handle), this, other);

        public Tensor atan2_(Tensor other) => Shim.Done(asrt_atan2_(Handle, other.Handle), this, other);

        public Tensor maximum(Tensor other) => Shim.Wrap(asrt_maximum(Handle, other.Handle), this, other);

        public Tensor minimum(Tensor other) => Shim.Wrap(asrt_minimum(Handle, other.Handle), this, other);

        public Tensor matmul(Tensor target) => Shim.Wrap(asrt_matmul(Handle, target.Handle), this, target);

        public Tensor mm(Tensor target) => Shim.Wrap(asrt_mm(Handle, target.Handle), this, target);

        public Tensor bmm(Tensor batch2) => Shim.Wrap(asrt_bmm(Handle, batch2.Handle), this, batch2);

        public Tensor mv(Tensor target) => Shim.Wrap(asrt_mv(Handle, target.Handle), this, target);

        public Tensor dot(Tensor target) => Shim.Wrap(asrt_dot(Handle, target.Handle), this, target);

        public Tensor outer(Tensor vec2) => Shim.Wrap(asrt_outer(Handle, vec2.Handle), this, vec2);

        public Tensor max(Tensor other) => maximum(other);

        public Tensor min(Tensor other) => minimum(other);

        public Tensor clamp(Scalar? min = null, Scalar? max = null) =>
            Shim.Wrap(asrt_clamp(Handle, min?.Value ?? Number.None, max?.Value ?? Number.None), this);

        public Tensor clamp_(Scalar? min = null, Scalar? max = null) =>
            Shim.Done(asrt_clamp_(Handle, min?.Value ?? Number.None, max?.Value ?? Number.None), this);

        public Tensor clamp(Tensor? min = null, Tensor? max = null) =>
            Shim.Wrap(asrt_clamp_tensor(Handle, min?.Handle ?? 0, max?.Handle ?? 0), this, min, max);

        public Tensor clamp_(Tensor? min = null, Tensor? max = null) =>
            Shim.Done(asrt_clamp_tensor_(Handle, min?.Handle ?? 0, max?.Handle ?? 0), this, min, max);

        public Tensor clamp_min(Scalar min) => clamp(min, (Scalar?)null);

        public Tensor clamp_max(Scalar max) => clamp((Scalar?)null, max);

        public Tensor clamp_min_(Scalar min) => clamp_(min, (Scalar?)null);

        public Tensor clamp_max_(Scalar max) => clamp_((Scalar?)null, max);

        /// <summary>This + <paramref name="weight"/> (<paramref name="end"/> - this).</summary>
        public Tensor lerp(Tensor end, Tensor weight) => Shim.Wrap(asrt_lerp(Handle, end.Handle, weight.Handle), this, end, weight);

        public Tensor lerp_(Tensor end, Tensor weight) => Shim.Done(asrt_lerp_(Handle, end.Handle, weight.Handle), this, end, weight);

        /// <summary>This + <paramref name="value"/> <paramref name="tensor1"/> <paramref name="tensor2"/>.</summary>
        public Tensor addcmul(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Shim.Wrap(asrt_addcmul(Handle, tensor1.Handle, tensor2.Handle, value.Value), this, tensor1, tensor2);

        public Tensor addcmul_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Shim.Done(asrt_addcmul_(Handle, tensor1.Handle, tensor2.Handle, value.Value), this, tensor1, tensor2);

        /// <summary>This + <paramref name="value"/> <paramref name="tensor1"/> / <paramref name="tensor2"/>.</summary>
        public Tensor addcdiv(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Shim.Wrap(asrt_addcdiv(Handle, tensor1.Handle, tensor2.Handle, value.Value), this, tensor1, tensor2);

        public Tensor addcdiv_(Tensor tensor1, Tensor tensor2, Scalar value) =>
            Shim.Done(asrt_addcdiv_(Handle, tensor1.Handle, tensor2.Handle, value.Value), this, tensor1, tensor2);

        /// <summary><paramref name="beta"/> this + <paramref name="alpha"/> <paramref name="mat1"/> <paramref name="mat2"/>.</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Shim.Wrap(asrt_addmm(Handle, mat1.Handle, mat2.Handle, beta, alpha), this, mat1, mat2);

        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Shim.Done(asrt_addmm_(Handle, mat1.Handle, mat2.Handle, beta, alpha), this, mat1, mat2);

        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Shim.Wrap(asrt_baddbmm(Handle, batch1.Handle, batch2.Handle, beta, alpha), this, batch1, batch2);

        /// <summary>Whether all elements differ by no more than <paramref name="atol"/> + <paramref name="rtol"/> |target|.</summary>
        public bool allclose(Tensor target, double rtol = 1e-05, double atol = 1e-08, bool equal_nan = false)
        {
            int result;
            Shim.Check(asrt_allclose(Handle, target.Handle, rtol, atol, equal_nan ? 1 : 0, &result));
            GC.KeepAlive(this);
            GC.KeepAlive(target);
            return result != 0;
        }

        // --- reductions ---------------------------------------------------------------------------------------------------

        /// <summary>All elements, as <paramref name="type"/>.</summary>
        /// <remarks>
        /// The literal 0 is a <see cref="ScalarType"/> to C#, so that <c>sum(0)</c> means this here and in TorchSharp; a sum as
        /// bytes is refused because <c>sum(dim: 0)</c> was meant.
        /// </remarks>
        public Tensor sum(ScalarType? type = null) => type is ScalarType.Byte
            ? throw new ArgumentException("sum(0) asks for a sum of all elements as Byte; write sum(dim: 0) for the dimension.", nameof(type))
            : Shim.Wrap(asrt_sum(Handle, Code(type)), this);

        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) => sum((ReadOnlySpan<long>)dim, keepdim, type);

        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dim)
            {
                return Shim.Wrap(asrt_sum_dims(Handle, p, dim.Length, keepdim ? 1 : 0, Code(type)), this);
            }
        }

        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        public Tensor mean() => Shim.Wrap(asrt_mean(Handle), this);

        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
            {
                return Shim.Wrap(asrt_mean_dims(Handle, p, dimensions.Length, keepdim ? 1 : 0, Code(type)), this);
            }
        }

        public Tensor prod(ScalarType? type = null) => Shim.Wrap(asrt_prod(Handle, Code(type)), this);

        public Tensor std(bool unbiased = true) => Shim.Wrap(asrt_std(Handle, unbiased ? 1 : 0), this);

        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => std([dim], unbiased, keepdim, type);

        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        public Tensor std(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
            {
                return As(type, Shim.Wrap(asrt_std_dims(Handle, p, dimensions.Length, keepdim ? 1 : 0, unbiased ? 1 : 0), this));
            }
        }

        public Tensor var(bool unbiased = true) => Shim.Wrap(asrt_var(Handle, unbiased ? 1 : 0), this);

        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) => var([dim], unbiased, keepdim, type);

        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            var((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        public Tensor var(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* p = dimensions)
            {
                return As(type, Shim.Wrap(asrt_var_dims(Handle, p, dimensions.Length, keepdim ? 1 : 0, unbiased ? 1 : 0), this));
            }
        }

        /// <summary>The p-norm of all elements.</summary>
        public Tensor norm(float p = 2) => Shim.Wrap(asrt_norm(Handle, p), this);

        public Tensor norm(int dim, bool keepdim = false, float p = 2) => Shim.Wrap(asrt_norm_dim(Handle, p, dim, keepdim ? 1 : 0), this);

        public Tensor max() => Shim.Wrap(asrt_max(Handle), this);

        public Tensor min() => Shim.Wrap(asrt_min(Handle), this);

        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false)
        {
            nint values, indices;
            return Shim.Pair(asrt_max_dim(Handle, dim, keepdim ? 1 : 0, &values, &indices), values, indices, this);
        }

        public (Tensor values, Tensor indexes) min(long dim, bool keepdim = false)
        {
            nint values, indices;
            return Shim.Pair(asrt_min_dim(Handle, dim, keepdim ? 1 : 0, &values, &indices), values, indices, this);
        }

        public Tensor amax(params long[] dims) => amax((ReadOnlySpan<long>)dims);

        public Tensor amax(long[] dims, bool keepdim = false) => amax((ReadOnlySpan<long>)dims, keepdim);

        public Tensor amax(ReadOnlySpan<long> dims, bool keepdim = false)
        {
            fixed (long* p = dims)
            {
                return Shim.Wrap(asrt_amax(Handle, p, dims.Length, keepdim ? 1 : 0), this);
            }
        }

        public Tensor amin(params long[] dims) => amin((ReadOnlySpan<long>)dims);

        public Tensor amin(long[] dims, bool keepdim = false) => amin((ReadOnlySpan<long>)dims, keepdim);

        public Tensor amin(ReadOnlySpan<long> dims, bool keepdim = false)
        {
            fixed (long* p = dims)
            {
                return Shim.Wrap(asrt_amin(Handle, p, dims.Length, keepdim ? 1 : 0), this);
            }
        }

        public Tensor argmax() => Shim.Wrap(asrt_argmax(Handle, 0, 0, 0), this);

        public Tensor argmax(long dim, bool keepdim = false) => Shim.Wrap(asrt_argmax(Handle, dim, 1, keepdim ? 1 : 0), this);

        public Tensor argmin() => Shim.Wrap(asrt_argmin(Handle, 0, 0, 0), this);

        public Tensor argmin(long dim, bool keepdim = false) => Shim.Wrap(asrt_argmin(Handle, dim, 1, keepdim ? 1 : 0), this);

        public Tensor all() => Shim.Wrap(asrt_all(Handle), this);

        public Tensor all(long dim, bool keepdim = false) => Shim.Wrap(asrt_all_dim(Handle, dim, keepdim ? 1 : 0), this);

        public Tensor any() => Shim.Wrap(asrt_any(Handle), this);

        public Tensor any(long dim, bool keepdim = false) => Shim.Wrap(asrt_any_dim(Handle, dim, keepdim ? 1 : 0), this);

        public Tensor logsumexp(long dim, bool keepdim = false) => Shim.Wrap(asrt_logsumexp(Handle, dim, keepdim ? 1 : 0), this);

        public Tensor cumsum(long dim, ScalarType? type = null) => Shim.Wrap(asrt_cumsum(Handle, dim, Code(type)), this);

        public Tensor count_nonzero(long[]? dims = null)
        {
            fixed (long* p = dims)
            {
                return Shim.Wrap(asrt_count_nonzero(Handle, p, dims?.Length ?? -1), this);
            }
        }

        public Tensor softmax(long dim, ScalarType? dtype = null) => Shim.Wrap(asrt_softmax(Handle, dim, Code(dtype)), this);

        public Tensor log_softmax(long dim, ScalarType? dtype = null) => Shim.Wrap(asrt_log_softmax(Handle, dim, Code(dtype)), this);

        // --- order --------------------------------------------------------------------------------------------------------

        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true)
        {
            nint values, indices;
            return Shim.Pair(asrt_topk(Handle, k, dim, largest ? 1 : 0, sorted ? 1 : 0, &values, &indices), values, indices, this);
        }

        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false)
        {
            nint values, indices;
            return Shim.Pair(asrt_sort(Handle, dim, descending ? 1 : 0, stable ? 1 : 0, &values, &indices), values, indices, this);
        }

        public Tensor argsort(long dim = -1, bool descending = false) => Shim.Wrap(asrt_argsort(Handle, dim, descending ? 1 : 0), this);

        private static int Code(ScalarType? type) => type is { } t ? (int)t : -1;

        private static Tensor As(ScalarType? type, Tensor result) => type is { } t && t != result.dtype ? result.to(t, disposeAfter: true) : result;
    }
}
