// Element by element, reductions, matrix products, order.
#include "shim.h"

#define UNARY(name) \
  ASRT_API Handle asrt_##name(Handle t) { return guard([&] { return t->name(); }); }
#define UNARY_BOTH(name) \
  UNARY(name)            \
  ASRT_API int32_t asrt_##name##_(Handle t) { return attempt([&] { t->name##_(); }); }

UNARY_BOTH(abs)
UNARY_BOTH(neg)
UNARY_BOTH(exp)
UNARY_BOTH(expm1)
UNARY_BOTH(log)
UNARY_BOTH(log2)
UNARY_BOTH(log10)
UNARY_BOTH(log1p)
UNARY_BOTH(sqrt)
UNARY_BOTH(rsqrt)
UNARY_BOTH(reciprocal)
UNARY_BOTH(sin)
UNARY_BOTH(cos)
UNARY_BOTH(tanh)
UNARY_BOTH(sigmoid)
UNARY_BOTH(relu)
UNARY_BOTH(erf)
UNARY_BOTH(floor)
UNARY_BOTH(ceil)
UNARY_BOTH(round)
UNARY_BOTH(trunc)
UNARY_BOTH(sign)
UNARY_BOTH(logical_not)
UNARY_BOTH(bitwise_not)
UNARY(square)
UNARY(isnan)
UNARY(isinf)
UNARY(isfinite)

ASRT_API Handle asrt_silu(Handle t) {
  return guard([&] { return at::silu(*t); });
}
ASRT_API int32_t asrt_silu_(Handle t) {
  return attempt([&] { at::silu_(*t); });
}
ASRT_API Handle asrt_real(Handle t) {
  return guard([&] { return at::real(*t); });
}
ASRT_API Handle asrt_imag(Handle t) {
  return guard([&] { return at::imag(*t); });
}
ASRT_API Handle asrt_view_as_real(Handle t) {
  return guard([&] { return at::view_as_real(*t); });
}

#define BINARY(name) \
  ASRT_API Handle asrt_##name(Handle a, Handle b) { return guard([&] { return a->name(*b); }); }
#define BINARY_BOTH(name) \
  BINARY(name)            \
  ASRT_API int32_t asrt_##name##_(Handle a, Handle b) { return attempt([&] { a->name##_(*b); }); }
#define WITH_NUMBER(name) \
  ASRT_API Handle asrt_##name##_scalar(Handle a, Number b) { return guard([&] { return a->name(scalar(b)); }); }
#define WITH_NUMBER_BOTH(name) \
  WITH_NUMBER(name)            \
  ASRT_API int32_t asrt_##name##_scalar_(Handle a, Number b) { return attempt([&] { a->name##_(scalar(b)); }); }
#define ARITHMETIC(name) BINARY_BOTH(name) WITH_NUMBER_BOTH(name)

ARITHMETIC(mul)
ARITHMETIC(sub)
ARITHMETIC(pow)
ARITHMETIC(remainder)
ARITHMETIC(fmod)
ARITHMETIC(eq)
ARITHMETIC(ne)
ARITHMETIC(lt)
ARITHMETIC(le)
ARITHMETIC(gt)
ARITHMETIC(ge)
BINARY_BOTH(logical_and)
BINARY_BOTH(logical_or)
BINARY_BOTH(logical_xor)
BINARY_BOTH(bitwise_and)
BINARY_BOTH(bitwise_or)
BINARY_BOTH(bitwise_xor)
BINARY_BOTH(atan2)
BINARY(maximum)
BINARY(minimum)
BINARY(matmul)
BINARY(mm)
BINARY(bmm)
BINARY(mv)
BINARY(dot)
BINARY(outer)

ASRT_API Handle asrt_add(Handle a, Handle b, Number alpha) {
  return guard([&] { return a->add(*b, scalar(alpha)); });
}
ASRT_API int32_t asrt_add_(Handle a, Handle b, Number alpha) {
  return attempt([&] { a->add_(*b, scalar(alpha)); });
}
ASRT_API Handle asrt_add_scalar(Handle a, Number b, Number alpha) {
  return guard([&] { return a->add(scalar(b), scalar(alpha)); });
}
ASRT_API int32_t asrt_add_scalar_(Handle a, Number b, Number alpha) {
  return attempt([&] { a->add_(scalar(b), scalar(alpha)); });
}
// number - tensor
ASRT_API Handle asrt_rsub_scalar(Handle a, Number b) {
  return guard([&] { return at::rsub(*a, scalar(b)); });
}
// number ** tensor
ASRT_API Handle asrt_rpow_scalar(Number base, Handle exponent) {
  return guard([&] { return at::pow(scalar(base), *exponent); });
}

// rounding: 0 none, 1 towards zero, 2 down.
namespace {
Handle divide(Handle a, const at::Tensor& b, int32_t rounding) {
  return guard([&] {
    switch (rounding) {
      case 0: return a->div(b);
      case 1: return a->div(b, "trunc");
      default: return a->div(b, "floor");
    }
  });
}
int32_t divide_(Handle a, const at::Tensor& b, int32_t rounding) {
  return attempt([&] {
    switch (rounding) {
      case 0: a->div_(b); break;
      case 1: a->div_(b, "trunc"); break;
      default: a->div_(b, "floor"); break;
    }
  });
}
}  // namespace
ASRT_API Handle asrt_div(Handle a, Handle b, int32_t rounding) { return divide(a, *b, rounding); }
ASRT_API int32_t asrt_div_(Handle a, Handle b, int32_t rounding) { return divide_(a, *b, rounding); }
ASRT_API Handle asrt_div_scalar(Handle a, Number b, int32_t rounding) {
  return guard([&] {
    switch (rounding) {
      case 0: return a->div(scalar(b));
      case 1: return a->div(scalar(b), "trunc");
      default: return a->div(scalar(b), "floor");
    }
  });
}
ASRT_API int32_t asrt_div_scalar_(Handle a, Number b, int32_t rounding) {
  return attempt([&] {
    switch (rounding) {
      case 0: a->div_(scalar(b)); break;
      case 1: a->div_(scalar(b), "trunc"); break;
      default: a->div_(scalar(b), "floor"); break;
    }
  });
}

ASRT_API Handle asrt_clamp(Handle t, Number low, Number high) {
  return guard([&] { return t->clamp(maybe_scalar(low), maybe_scalar(high)); });
}
ASRT_API int32_t asrt_clamp_(Handle t, Number low, Number high) {
  return attempt([&] { t->clamp_(maybe_scalar(low), maybe_scalar(high)); });
}
ASRT_API Handle asrt_clamp_tensor(Handle t, Handle low, Handle high) {
  return guard([&] { return t->clamp(maybe(low), maybe(high)); });
}
ASRT_API int32_t asrt_clamp_tensor_(Handle t, Handle low, Handle high) {
  return attempt([&] { t->clamp_(maybe(low), maybe(high)); });
}
ASRT_API Handle asrt_lerp(Handle t, Handle end, Handle weight) {
  return guard([&] { return t->lerp(*end, *weight); });
}
ASRT_API int32_t asrt_lerp_(Handle t, Handle end, Handle weight) {
  return attempt([&] { t->lerp_(*end, *weight); });
}
ASRT_API Handle asrt_addcmul(Handle t, Handle a, Handle b, Number value) {
  return guard([&] { return t->addcmul(*a, *b, scalar(value)); });
}
ASRT_API int32_t asrt_addcmul_(Handle t, Handle a, Handle b, Number value) {
  return attempt([&] { t->addcmul_(*a, *b, scalar(value)); });
}
ASRT_API Handle asrt_addcdiv(Handle t, Handle a, Handle b, Number value) {
  return guard([&] { return t->addcdiv(*a, *b, scalar(value)); });
}
ASRT_API int32_t asrt_addcdiv_(Handle t, Handle a, Handle b, Number value) {
  return attempt([&] { t->addcdiv_(*a, *b, scalar(value)); });
}
ASRT_API Handle asrt_addmm(Handle t, Handle a, Handle b, float beta, float alpha) {
  return guard([&] { return t->addmm(*a, *b, beta, alpha); });
}
ASRT_API int32_t asrt_addmm_(Handle t, Handle a, Handle b, float beta, float alpha) {
  return attempt([&] { t->addmm_(*a, *b, beta, alpha); });
}
ASRT_API Handle asrt_baddbmm(Handle t, Handle a, Handle b, float beta, float alpha) {
  return guard([&] { return t->baddbmm(*a, *b, beta, alpha); });
}

// --- comparisons of whole tensors -----------------------------------------------------------------------------------
ASRT_API int32_t asrt_allclose(Handle a, Handle b, double relative, double absolute, int32_t equal_nan, int32_t* out) {
  return attempt([&] { *out = at::allclose(*a, *b, relative, absolute, equal_nan != 0); });
}
ASRT_API int32_t asrt_equal(Handle a, Handle b, int32_t* out) {
  return attempt([&] { *out = at::equal(*a, *b); });
}

// --- reductions -----------------------------------------------------------------------------------------------------
#define DIMS const int64_t *dims, int32_t n, int32_t keep
#define REF ints(dims, n)

ASRT_API Handle asrt_sum(Handle t, int32_t dtype) {
  return guard([&] { return t->sum(maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_sum_dims(Handle t, DIMS, int32_t dtype) {
  return guard([&] { return t->sum(REF, keep != 0, maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_mean(Handle t) {
  return guard([&] { return t->mean(); });
}
ASRT_API Handle asrt_mean_dims(Handle t, DIMS, int32_t dtype) {
  return guard([&] { return t->mean(REF, keep != 0, maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_prod(Handle t, int32_t dtype) {
  return guard([&] { return t->prod(maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_std(Handle t, int32_t unbiased) {
  return guard([&] { return t->std(unbiased != 0); });
}
ASRT_API Handle asrt_std_dims(Handle t, DIMS, int32_t unbiased) {
  return guard([&] { return t->std(REF, unbiased != 0, keep != 0); });
}
ASRT_API Handle asrt_var(Handle t, int32_t unbiased) {
  return guard([&] { return t->var(unbiased != 0); });
}
ASRT_API Handle asrt_var_dims(Handle t, DIMS, int32_t unbiased) {
  return guard([&] { return t->var(REF, unbiased != 0, keep != 0); });
}
ASRT_API Handle asrt_amax(Handle t, DIMS) {
  return guard([&] { return t->amax(REF, keep != 0); });
}
ASRT_API Handle asrt_amin(Handle t, DIMS) {
  return guard([&] { return t->amin(REF, keep != 0); });
}
ASRT_API Handle asrt_norm(Handle t, double p) {
  return guard([&] { return t->norm(p); });
}
ASRT_API Handle asrt_norm_dim(Handle t, double p, int64_t dim, int32_t keep) {
  return guard([&] { return t->norm(at::Scalar(p), at::IntArrayRef(dim), keep != 0); });
}
UNARY(max)
UNARY(min)
UNARY(all)
UNARY(any)
ASRT_API Handle asrt_all_dim(Handle t, int64_t dim, int32_t keep) {
  return guard([&] { return t->all(dim, keep != 0); });
}
ASRT_API Handle asrt_any_dim(Handle t, int64_t dim, int32_t keep) {
  return guard([&] { return t->any(dim, keep != 0); });
}
ASRT_API int32_t asrt_max_dim(Handle t, int64_t dim, int32_t keep, Handle* values, Handle* indices) {
  return guard_pair(values, indices, [&] { return t->max(dim, keep != 0); });
}
ASRT_API int32_t asrt_min_dim(Handle t, int64_t dim, int32_t keep, Handle* values, Handle* indices) {
  return guard_pair(values, indices, [&] { return t->min(dim, keep != 0); });
}
ASRT_API Handle asrt_argmax(Handle t, int64_t dim, int32_t given, int32_t keep) {
  return guard([&] { return t->argmax(maybe_int(dim, given != 0), keep != 0); });
}
ASRT_API Handle asrt_argmin(Handle t, int64_t dim, int32_t given, int32_t keep) {
  return guard([&] { return t->argmin(maybe_int(dim, given != 0), keep != 0); });
}
ASRT_API Handle asrt_logsumexp(Handle t, int64_t dim, int32_t keep) {
  return guard([&] { return t->logsumexp(at::IntArrayRef(dim), keep != 0); });
}
ASRT_API Handle asrt_cumsum(Handle t, int64_t dim, int32_t dtype) {
  return guard([&] { return t->cumsum(dim, maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_count_nonzero(Handle t, const int64_t* dims, int32_t n) {
  return guard([&] { return n < 0 ? t->count_nonzero() : t->count_nonzero(REF); });
}

// --- order ----------------------------------------------------------------------------------------------------------
ASRT_API int32_t asrt_topk(Handle t, int64_t k, int64_t dim, int32_t largest, int32_t sorted, Handle* values, Handle* indices) {
  return guard_pair(values, indices, [&] { return t->topk(k, dim, largest != 0, sorted != 0); });
}
ASRT_API int32_t asrt_sort(Handle t, int64_t dim, int32_t descending, int32_t stable, Handle* values, Handle* indices) {
  return guard_pair(values, indices, [&] { return t->sort(Optional<bool>(stable != 0), dim, descending != 0); });
}
ASRT_API Handle asrt_argsort(Handle t, int64_t dim, int32_t descending) {
  return guard([&] { return t->argsort(dim, descending != 0); });
}

// --- Fourier transforms; norm: 0 backward, 1 forward, 2 ortho; n < 0: the whole dimension ----------------------------
#define FFT(name)                                                                                      \
  ASRT_API Handle asrt_##name(Handle t, int64_t n, int64_t dim, int32_t norm) {                        \
    return guard([&] {                                                                                 \
      return at::name(*t, maybe_int(n, n >= 0), dim, norm == 2 ? "ortho" : norm == 1 ? "forward" : "backward"); \
    });                                                                                                \
  }
FFT(fft_rfft)
FFT(fft_irfft)
