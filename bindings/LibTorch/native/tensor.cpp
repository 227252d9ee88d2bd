// A tensor's life, its data and what it says of itself; the factories.
#include "shim.h"

#include <cstring>

ASRT_API void asrt_free(Handle t) { delete t; }

ASRT_API Handle asrt_alias(Handle t) {
  return guard([&] { return *t; });
}

// --- properties: none of these throws on a defined tensor ------------------------------------------------------------
ASRT_API int64_t asrt_dim(Handle t) { return t->dim(); }
ASRT_API int64_t asrt_numel(Handle t) { return t->numel(); }
ASRT_API int64_t asrt_element_size(Handle t) { return static_cast<int64_t>(t->element_size()); }
ASRT_API int32_t asrt_dtype(Handle t) { return static_cast<int32_t>(t->scalar_type()); }
ASRT_API int32_t asrt_device(Handle t, int32_t* index) {
  const auto device = t->device();
  *index = device.index();
  return static_cast<int32_t>(device.type());
}
// Writes the sizes when the buffer holds them; returns the number of dimensions.
ASRT_API int64_t asrt_sizes(Handle t, int64_t* out, int64_t capacity) {
  const auto sizes = t->sizes();
  if (static_cast<int64_t>(sizes.size()) <= capacity) std::copy(sizes.begin(), sizes.end(), out);
  return static_cast<int64_t>(sizes.size());
}
ASRT_API int64_t asrt_strides(Handle t, int64_t* out, int64_t capacity) {
  const auto strides = t->strides();
  if (static_cast<int64_t>(strides.size()) <= capacity) std::copy(strides.begin(), strides.end(), out);
  return static_cast<int64_t>(strides.size());
}
ASRT_API int64_t asrt_storage_offset(Handle t) { return t->storage_offset(); }
ASRT_API int32_t asrt_is_contiguous(Handle t) { return t->is_contiguous(); }
ASRT_API int32_t asrt_is_leaf(Handle t) { return t->is_leaf(); }
ASRT_API int32_t asrt_requires_grad(Handle t) { return t->requires_grad(); }

ASRT_API void* asrt_data(Handle t) {
  try {
    TORCH_CHECK(t->layout() == at::kStrided, "Only a dense tensor has data that can be read in place.");
    return t->data_ptr();
  } catch (...) {
    shim::remember();
    return nullptr;
  }
}

ASRT_API int32_t asrt_item(Handle t, Number* out) {
  return attempt([&] {
    const auto value = t->item();
    if (value.isBoolean()) {
      out->kind = 2;
      out->integer = value.toBool();
    } else if (value.isFloatingPoint()) {
      out->kind = 1;
      out->real = value.toDouble();
    } else {
      out->kind = 0;
      out->integer = value.toLong();
    }
  });
}

// --- factories ------------------------------------------------------------------------------------------------------
namespace {
template <class F> Handle make(int32_t grad, F&& f) {
  return guard([&] {
    auto t = f();
    if (grad != 0) t.set_requires_grad(true);
    return t;
  });
}
}  // namespace

#define SIZED const int64_t *size, int32_t n
#define PLACED int32_t dtype, int32_t device_type, int32_t device_index, int32_t grad
#define OPTIONS options(dtype, device_type, device_index)

ASRT_API Handle asrt_empty(SIZED, PLACED) {
  return make(grad, [&] { return at::empty(ints(size, n), OPTIONS); });
}
ASRT_API Handle asrt_zeros(SIZED, PLACED) {
  return make(grad, [&] { return at::zeros(ints(size, n), OPTIONS); });
}
ASRT_API Handle asrt_ones(SIZED, PLACED) {
  return make(grad, [&] { return at::ones(ints(size, n), OPTIONS); });
}
ASRT_API Handle asrt_full(SIZED, Number value, PLACED) {
  return make(grad, [&] { return at::full(ints(size, n), scalar(value), OPTIONS); });
}
ASRT_API Handle asrt_rand(SIZED, at::Generator* g, PLACED) {
  return make(grad, [&] { return at::rand(ints(size, n), generator(g), OPTIONS); });
}
ASRT_API Handle asrt_randn(SIZED, at::Generator* g, PLACED) {
  return make(grad, [&] { return at::randn(ints(size, n), generator(g), OPTIONS); });
}
ASRT_API Handle asrt_randint(int64_t low, int64_t high, SIZED, at::Generator* g, PLACED) {
  return make(grad, [&] { return at::randint(low, high, ints(size, n), generator(g), OPTIONS); });
}
ASRT_API Handle asrt_randperm(int64_t count, at::Generator* g, PLACED) {
  return make(grad, [&] { return at::randperm(count, generator(g), OPTIONS); });
}
ASRT_API Handle asrt_arange(Number start, Number stop, Number step, PLACED) {
  return make(grad, [&] { return at::arange(scalar(start), scalar(stop), scalar(step), OPTIONS); });
}
ASRT_API Handle asrt_linspace(double start, double end, int64_t steps, PLACED) {
  return make(grad, [&] { return at::linspace(start, end, steps, OPTIONS); });
}
ASRT_API Handle asrt_eye(int64_t rows, int64_t columns, PLACED) {
  return make(grad, [&] { return at::eye(rows, columns, OPTIONS); });
}
ASRT_API Handle asrt_hann_window(int64_t length, int32_t periodic, PLACED) {
  return make(grad, [&] { return at::hann_window(length, periodic != 0, OPTIONS); });
}

// A copy of `bytes` (of dtype `source_type`), cast to `dtype` and moved to the device.
ASRT_API Handle asrt_from_bytes(const void* bytes, SIZED, int32_t source_type, PLACED) {
  return make(grad, [&] {
    auto t = at::empty(ints(size, n), at::TensorOptions().dtype(static_cast<at::ScalarType>(source_type)));
    if (t.numel() > 0) std::memcpy(t.data_ptr(), bytes, t.nbytes());
    return t.to(OPTIONS);
  });
}

namespace {
at::TensorOptions like(Handle t, int32_t dtype, int32_t device_type, int32_t device_index) {
  auto result = t->options();
  if (dtype >= 0) result = result.dtype(static_cast<at::ScalarType>(dtype));
  return device_type < 0 ? result : result.device(device_of(device_type, device_index));
}
}  // namespace

#define LIKE like(t, dtype, device_type, device_index)
ASRT_API Handle asrt_empty_like(Handle t, PLACED) {
  return make(grad, [&] { return at::empty_like(*t, LIKE); });
}
ASRT_API Handle asrt_zeros_like(Handle t, PLACED) {
  return make(grad, [&] { return at::zeros_like(*t, LIKE); });
}
ASRT_API Handle asrt_ones_like(Handle t, PLACED) {
  return make(grad, [&] { return at::ones_like(*t, LIKE); });
}
ASRT_API Handle asrt_full_like(Handle t, Number value, PLACED) {
  return make(grad, [&] { return at::full_like(*t, scalar(value), LIKE); });
}
ASRT_API Handle asrt_rand_like(Handle t, PLACED) {
  return make(grad, [&] { return at::rand_like(*t, LIKE); });
}
ASRT_API Handle asrt_randn_like(Handle t, PLACED) {
  return make(grad, [&] { return at::randn_like(*t, LIKE); });
}

// --- dtype, device, copies ------------------------------------------------------------------------------------------
ASRT_API Handle asrt_to(Handle t, int32_t dtype, int32_t device_type, int32_t device_index, int32_t copy, int32_t non_blocking) {
  return guard([&] {
    const auto type = dtype < 0 ? t->scalar_type() : static_cast<at::ScalarType>(dtype);
    if (device_type < 0) return t->to(type, non_blocking != 0, copy != 0);
    return t->to(device_of(device_type, device_index), type, non_blocking != 0, copy != 0);
  });
}
ASRT_API Handle asrt_clone(Handle t) {
  return guard([&] { return t->clone(); });
}
ASRT_API Handle asrt_contiguous(Handle t) {
  return guard([&] { return t->contiguous(); });
}
ASRT_API Handle asrt_pin_memory(Handle t) {
  return guard([&] { return t->pin_memory(); });
}
ASRT_API int32_t asrt_copy_(Handle t, Handle source, int32_t non_blocking) {
  return attempt([&] { t->copy_(*source, non_blocking != 0); });
}
ASRT_API int32_t asrt_set_(Handle t, Handle source) {
  return attempt([&] { t->set_(*source); });
}
ASRT_API int32_t asrt_fill_(Handle t, Number value) {
  return attempt([&] { t->fill_(scalar(value)); });
}
ASRT_API int32_t asrt_zero_(Handle t) {
  return attempt([&] { t->zero_(); });
}
ASRT_API int32_t asrt_normal_(Handle t, double mean, double std, at::Generator* g) {
  return attempt([&] { t->normal_(mean, std, generator(g)); });
}
ASRT_API int32_t asrt_uniform_(Handle t, double from, double to, at::Generator* g) {
  return attempt([&] { t->uniform_(from, to, generator(g)); });
}
ASRT_API int32_t asrt_bernoulli_(Handle t, double p, at::Generator* g) {
  return attempt([&] { t->bernoulli_(p, generator(g)); });
}
ASRT_API Handle asrt_bernoulli(Handle t, at::Generator* g) {
  return guard([&] { return at::bernoulli(*t, generator(g)); });
}
ASRT_API Handle asrt_multinomial(Handle t, int64_t samples, int32_t replacement, at::Generator* g) {
  return guard([&] { return at::multinomial(*t, samples, replacement != 0, generator(g)); });
}
