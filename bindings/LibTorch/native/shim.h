// What every file of the shim shares: the handle, error transport and argument types of the C ABI.
//
// Conventions of the ABI
//   * A handle is an at::Tensor* that the caller owns and gives back with asrt_free.
//   * A function that makes a tensor returns its handle, or null after an error.
//   * A function that makes nothing returns 0, or -1 after an error.
//   * The message of the last error of this thread is asrt_last_error().
//   * Shapes and other lists of integers are (pointer, length) and are only read during the call.
//   * A dtype is an at::ScalarType, -1 for "not given"; a device is (at::DeviceType, index), -1 for "current".
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/TensorIndexing.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

// The version as one number: 1.13 -> 113, 2.11 -> 211.
#define ASRT_TORCH (TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR)

#define ASRT_API extern "C" __attribute__((visibility("default")))

using Handle = at::Tensor*;

// c10::optional became std::optional in 2.4. Untested above 1.13.
#if ASRT_TORCH >= 204
template <class T> using Optional = std::optional<T>;
inline constexpr auto nothing = std::nullopt;
#else
template <class T> using Optional = c10::optional<T>;
inline constexpr auto nothing = c10::nullopt;
#endif

// A number by value: kind 0 integer, 1 floating point, 2 bool, 3 none.
struct Number {
  int64_t kind;
  union {
    int64_t integer;
    double real;
  };
};

inline at::Scalar scalar(Number n) {
  switch (n.kind) {
    case 0: return at::Scalar(n.integer);
    case 1: return at::Scalar(n.real);
    case 2: return at::Scalar(n.integer != 0);
    default: throw std::invalid_argument("A number is missing.");
  }
}

inline Optional<at::Scalar> maybe_scalar(Number n) {
  if (n.kind == 3) return nothing;
  return scalar(n);
}

inline at::IntArrayRef ints(const int64_t* values, int32_t count) {
  return at::IntArrayRef(values, static_cast<size_t>(count));
}

inline Optional<at::Tensor> maybe(Handle t) {
  if (t == nullptr) return nothing;
  return *t;
}

inline Optional<at::ScalarType> maybe_dtype(int32_t dtype) {
  if (dtype < 0) return nothing;
  return static_cast<at::ScalarType>(dtype);
}

inline Optional<int64_t> maybe_int(int64_t value, bool given) {
  if (!given) return nothing;
  return value;
}

inline at::Device device_of(int32_t type, int32_t index) {
  return at::Device(static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(index));
}

inline at::TensorOptions options(int32_t dtype, int32_t device_type, int32_t device_index) {
  auto result = at::TensorOptions().device(device_of(device_type, device_index));
  return dtype < 0 ? result : result.dtype(static_cast<at::ScalarType>(dtype));
}

inline Optional<at::Generator> generator(at::Generator* g) {
  if (g == nullptr) return nothing;
  return *g;
}

inline std::vector<at::Tensor> tensors(const Handle* handles, int32_t count) {
  std::vector<at::Tensor> result;
  result.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; i++) {
    result.push_back(handles[i] == nullptr ? at::Tensor() : *handles[i]);
  }
  return result;
}

namespace shim {
// Keeps the message of the exception in flight for asrt_last_error.
void remember() noexcept;

extern int wanted_threads;
extern thread_local int applied_threads;
void apply_threads();

// OpenMP's thread count belongs to each thread: a thread that meets a new setting applies it to itself first.
inline void enter() {
  if (applied_threads != wanted_threads) apply_threads();
}
}  // namespace shim

// Runs `make` and hands its tensor to the caller.
template <class F> Handle guard(F&& make) noexcept {
  try {
    shim::enter();
    return new at::Tensor(make());
  } catch (...) {
    shim::remember();
    return nullptr;
  }
}

// Runs `act` for its effect.
template <class F> int32_t attempt(F&& act) noexcept {
  try {
    shim::enter();
    act();
    return 0;
  } catch (...) {
    shim::remember();
    return -1;
  }
}

// Runs `make`, which returns a pair, and hands out both tensors.
template <class F> int32_t guard_pair(Handle* first, Handle* second, F&& make) noexcept {
  return attempt([&] {
    auto result = make();
    auto one = std::make_unique<at::Tensor>(std::move(std::get<0>(result)));
    *second = new at::Tensor(std::move(std::get<1>(result)));
    *first = one.release();
  });
}
