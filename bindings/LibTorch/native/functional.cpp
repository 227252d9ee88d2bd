// torch.nn.functional.
#include "elementwise.h"
#include "few_rows.h"
#include "shim.h"

#include <c10/core/GradMode.h>

#include <ATen/ExpandUtils.h>

#include <cmath>
#include <limits>

namespace {
bool plain(const at::Tensor& t) {
  return t.is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided && t.is_contiguous();
}

bool recorded(Handle t) { return t != nullptr && t->requires_grad(); }

// A step of the decoder: few rows, and no gradient to come.
bool has_few_rows(Handle input, Handle weight, Handle bias) {
  if (!shim::few_rows_supported() || !plain(*input) || !plain(*weight) || (bias != nullptr && !plain(*bias))) return false;
  if (weight->dim() != 2 || input->dim() < 1 || weight->size(1) == 0 || input->size(-1) != weight->size(1)) return false;
  if (bias != nullptr && (bias->dim() != 1 || bias->size(0) != weight->size(0))) return false;
  const auto rows = input->numel() / weight->size(1);
  return rows >= 1 && rows <= shim::few_rows && !(c10::GradMode::is_enabled() && (recorded(input) || recorded(weight) || recorded(bias)));
}

at::Tensor few_rows_linear(Handle input, Handle weight, Handle bias) {
  const auto inputs = weight->size(1);
  const auto outputs = weight->size(0);
  auto shape = input->sizes().vec();
  shape.back() = outputs;
  auto result = at::empty(shape, input->options().requires_grad(false));
  const auto* x = input->data_ptr<float>();
  const auto* w = weight->data_ptr<float>();
  const auto* b = bias == nullptr ? nullptr : bias->data_ptr<float>();
  auto* y = result.data_ptr<float>();
  const auto rows = input->numel() / inputs;
  // Waking a thread takes as long as reading some megabytes of weights.
  const auto grain = std::max<int64_t>(1, (int64_t{1} << 20) / inputs);
  at::parallel_for(0, outputs, grain, [&](int64_t begin, int64_t end) {
    shim::few_rows_product(x, rows, w, b, y, inputs, outputs, begin, end);
  });
  return result;
}

// Values that a kernel of ours may work on: nothing records what becomes of them.
bool simple(const at::Tensor& t) {
  return shim::elementwise_supported() && plain(t) && t.numel() > 0 && !(c10::GradMode::is_enabled() && t.requires_grad());
}

// Values for each thread: waking one takes as long as some ten thousand of them.
constexpr int64_t grain_values = 1 << 15;

void gelu_into(const at::Tensor& from, const at::Tensor& to) {
  const auto* x = from.data_ptr<float>();
  auto* y = to.data_ptr<float>();
  at::parallel_for(0, from.numel(), grain_values, [&](int64_t begin, int64_t end) { shim::gelu(x + begin, y + begin, end - begin); });
}

at::Tensor fast_softmax(const at::Tensor& t, int64_t dim, Optional<at::ScalarType> dtype) {
  if (dtype.has_value() || t.dim() == 0 || (dim != -1 && dim != t.dim() - 1) || !simple(t)) return at::softmax(t, dim, dtype);
  auto result = at::empty_like(t);
  const auto columns = t.size(-1);
  const auto* x = t.data_ptr<float>();
  auto* y = result.data_ptr<float>();
  const auto grain = std::max<int64_t>(1, grain_values / columns);
  at::parallel_for(0, t.numel() / columns, grain, [&](int64_t begin, int64_t end) {
    shim::softmax(x + (begin * columns), y + (begin * columns), end - begin, columns);
  });
  return result;
}
}  // namespace

ASRT_API Handle asrt_linear(Handle input, Handle weight, Handle bias) {
  return guard([&] {
    return has_few_rows(input, weight, bias) ? few_rows_linear(input, weight, bias) : at::linear(*input, *weight, maybe(bias));
  });
}

ASRT_API Handle asrt_conv1d(Handle input, Handle weight, Handle bias, int64_t stride, int64_t padding, int64_t dilation,
                            int64_t groups) {
  return guard([&] {
    return at::conv1d(*input, *weight, maybe(bias), at::IntArrayRef(stride), at::IntArrayRef(padding),
                      at::IntArrayRef(dilation), groups);
  });
}

ASRT_API Handle asrt_layer_norm(Handle input, const int64_t* shape, int32_t n, Handle weight, Handle bias, double eps) {
  return guard([&] { return at::layer_norm(*input, ints(shape, n), maybe(weight), maybe(bias), eps); });
}

// The exact form, x * Phi(x), not the tanh approximation.
ASRT_API Handle asrt_gelu(Handle t) {
  return guard([&] {
    if (!simple(*t)) return at::gelu(*t);
    auto result = at::empty_like(*t);
    gelu_into(*t, result);
    return result;
  });
}
ASRT_API int32_t asrt_gelu_(Handle t) {
  return attempt([&] {
    if (!simple(*t)) {
      at::gelu_(*t);
      return;
    }
    gelu_into(*t, *t);
    t->unsafeGetTensorImpl()->bump_version();
  });
}

ASRT_API Handle asrt_softmax(Handle t, int64_t dim, int32_t dtype) {
  return guard([&] { return fast_softmax(*t, dim, maybe_dtype(dtype)); });
}
ASRT_API Handle asrt_log_softmax(Handle t, int64_t dim, int32_t dtype) {
  return guard([&] { return at::log_softmax(*t, dim, maybe_dtype(dtype)); });
}

// query [..., L, E], key [..., S, E], value [..., S, V] -> [..., L, V]; a bool mask is true where a key takes part, any
// other mask is added to the scores.
ASRT_API Handle asrt_scaled_dot_product_attention(Handle query, Handle key, Handle value, Handle mask, double dropout,
                                                  int32_t causal) {
  return guard([&]() -> at::Tensor {
#if ASRT_TORCH >= 200
    return at::scaled_dot_product_attention(*query, *key, *value, maybe(mask), dropout, causal != 0);  // Untested.
#else
    TORCH_CHECK(causal == 0 || mask == nullptr, "Attention takes a mask or is causal, not both.");
    // The scale is applied to both sides, as the fused kernels do: half-precision scores stay in range.
    const double scale = std::pow(static_cast<double>(query->size(-1)), -0.25);
    auto scores = at::matmul(query->mul(scale), key->transpose(-2, -1).mul(scale));  // [..., L, S]
    constexpr double never = -std::numeric_limits<double>::infinity();
    if (causal != 0) {
      const auto later = at::ones({query->size(-2), key->size(-2)}, query->options().dtype(at::kBool)).triu(1);
      scores.masked_fill_(later, never);
    } else if (mask != nullptr) {
      if (!at::is_expandable_to(mask->sizes(), scores.sizes())) {
        scores = scores.expand(at::infer_size(scores.sizes(), mask->sizes())).contiguous();
      }
      mask->scalar_type() == at::kBool ? scores.masked_fill_(mask->logical_not(), never) : scores.add_(*mask);
    }
    auto weights = fast_softmax(scores, -1, nothing);
    if (dropout > 0) weights = at::dropout(weights, dropout, true);
    return at::matmul(weights, *value);
#endif
  });
}

// reduction: 0 none, 1 mean, 2 sum, as in at::Reduction.
ASRT_API Handle asrt_cross_entropy(Handle input, Handle target, Handle weight, int64_t reduction, int64_t ignore_index,
                                   double label_smoothing) {
  return guard([&] {
    return at::cross_entropy_loss(*input, *target, maybe(weight), reduction, ignore_index, label_smoothing);
  });
}
ASRT_API Handle asrt_nll_loss(Handle input, Handle target, Handle weight, int64_t reduction) {
  return guard([&] { return at::nll_loss_nd(*input, *target, maybe(weight), reduction, -100); });
}
ASRT_API Handle asrt_mse_loss(Handle input, Handle target, int64_t reduction) {
  return guard([&] { return at::mse_loss(*input, *target, reduction); });
}
ASRT_API Handle asrt_kl_div(Handle input, Handle target, int64_t reduction, int32_t log_target) {
  return guard([&] { return at::kl_div(*input, *target, reduction, log_target != 0); });
}
ASRT_API Handle asrt_ctc_loss(Handle log_probs, Handle targets, Handle input_lengths, Handle target_lengths, int64_t blank,
                              int64_t reduction, int32_t zero_infinity) {
  return guard([&] {
    return at::ctc_loss(*log_probs, *targets, *input_lengths, *target_lengths, blank, reduction, zero_infinity != 0);
  });
}

ASRT_API Handle asrt_dropout(Handle t, double p, int32_t training) {
  return guard([&] { return at::dropout(*t, p, training != 0); });
}
ASRT_API int32_t asrt_dropout_(Handle t, double p, int32_t training) {
  return attempt([&] { at::dropout_(*t, p, training != 0); });
}
ASRT_API Handle asrt_one_hot(Handle t, int64_t classes) {
  return guard([&] { return at::one_hot(*t, classes); });
}

// mode: 0 zeros, 1 reflect, 2 replicate, 3 circular, 4 constant.
ASRT_API Handle asrt_pad(Handle t, const int64_t* pad, int32_t n, int32_t mode, double value) {
  return guard([&] {
    switch (mode) {
      case 1: return at::pad(*t, ints(pad, n), "reflect");
      case 2: return at::pad(*t, ints(pad, n), "replicate");
      case 3: return at::pad(*t, ints(pad, n), "circular");
      default: return at::constant_pad_nd(*t, ints(pad, n), mode == 0 ? 0.0 : value);
    }
  });
}
