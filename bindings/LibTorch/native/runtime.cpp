// Errors, threads, versions, devices, random numbers.
#include "shim.h"

#include <ATen/Version.h>
#include <torch/csrc/api/include/torch/cuda.h>
#include <torch/csrc/api/include/torch/utils.h>

#include <cstring>
#include <mutex>

#ifdef _OPENMP
#include <omp.h>
#endif

#ifdef ASRTORCH_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#endif

namespace shim {
namespace {
thread_local std::string last_error;
}

void remember() noexcept {
  try {
    try {
      throw;
    } catch (const c10::Error& e) {
      last_error = e.what_without_backtrace();
    } catch (const std::exception& e) {
      last_error = e.what();
    } catch (...) {
      last_error = "LibTorch threw something that is no std::exception.";
    }
    // The first line says what is wrong; the rest is LibTorch's own call stack and lists of kernels.
    const auto end = last_error.find('\n');
    if (end != std::string::npos) last_error.resize(end);
  } catch (...) {
    last_error.clear();
  }
}

int wanted_threads = 0;
thread_local int applied_threads = 0;

void apply_threads() {
  const int wanted = wanted_threads;
  at::set_num_threads(wanted);
#ifdef _OPENMP
  // Another OpenMP than LibTorch's own, where LibTorch brings its own, counts by itself.
  omp_set_num_threads(wanted);
#endif
  applied_threads = wanted;
}
}  // namespace shim

ASRT_API const char* asrt_last_error() { return shim::last_error.c_str(); }

// The number of the ABI: the managed side refuses a shim with another one.
ASRT_API int32_t asrt_abi() { return 1; }

ASRT_API int32_t asrt_torch_version() { return TORCH_VERSION_MAJOR * 10000 + TORCH_VERSION_MINOR * 100 + TORCH_VERSION_PATCH; }
ASRT_API const char* asrt_torch_version_text() { return TORCH_VERSION; }

ASRT_API const char* asrt_show_config() {
  static const std::string text = at::show_config();
  return text.c_str();
}

// LibTorch 1.13.1 with oneDNN 2.6 computes garbage in the backward of gelu when the incoming gradient is not contiguous,
// another at each call (Whisper's front end: conv, gelu, transpose).
ASRT_API int32_t asrt_onednn_trusted() { return ASRT_TORCH >= 200; }
ASRT_API int32_t asrt_onednn_enabled() { return at::hasMKLDNN() && at::globalContext().userEnabledMkldnn(); }
ASRT_API void asrt_onednn_enable(int32_t on) { at::globalContext().setUserEnabledMkldnn(on != 0); }

ASRT_API int32_t asrt_set_num_threads(int32_t count) {
  return attempt([&] {
    TORCH_CHECK(count > 0, "The number of threads must be positive, not ", count, ".");
    shim::wanted_threads = count;
    shim::apply_threads();
  });
}
ASRT_API int32_t asrt_get_num_threads() {
  shim::enter();
  return at::get_num_threads();
}
ASRT_API int32_t asrt_set_num_interop_threads(int32_t count) { return attempt([&] { at::set_num_interop_threads(count); }); }
ASRT_API int32_t asrt_get_num_interop_threads() { return static_cast<int32_t>(at::get_num_interop_threads()); }

ASRT_API int32_t asrt_cuda_is_available() {
  try {
    return torch::cuda::is_available();
  } catch (...) {
    return 0;
  }
}
ASRT_API int32_t asrt_cuda_device_count() {
  try {
    return static_cast<int32_t>(torch::cuda::device_count());
  } catch (...) {
    return 0;
  }
}
ASRT_API int32_t asrt_cudnn_is_available() {
  try {
    return torch::cuda::cudnn_is_available();
  } catch (...) {
    return 0;
  }
}
ASRT_API int32_t asrt_cuda_synchronize(int64_t device) { return attempt([&] { torch::cuda::synchronize(device); }); }
ASRT_API int32_t asrt_cuda_manual_seed_all(int64_t seed) {
  return attempt([&] { torch::cuda::manual_seed_all(static_cast<uint64_t>(seed)); });
}

// allocated, reserved, peak allocated, peak reserved in bytes. Untested: no CUDA where this was written.
ASRT_API int32_t asrt_cuda_memory(int32_t device, int64_t* out) {
  return attempt([&] {
#ifdef ASRTORCH_CUDA
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
    out[0] = stats.allocated_bytes[0].current;
    out[1] = stats.reserved_bytes[0].current;
    out[2] = stats.allocated_bytes[0].peak;
    out[3] = stats.reserved_bytes[0].peak;
#else
    TORCH_CHECK(false, "This shim was built against a LibTorch without CUDA.");
#endif
  });
}
ASRT_API int32_t asrt_cuda_memory_reset_peak(int32_t device) {
  return attempt([&] {
#ifdef ASRTORCH_CUDA
    c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(device));
#else
    TORCH_CHECK(false, "This shim was built against a LibTorch without CUDA.");
#endif
  });
}
ASRT_API int32_t asrt_cuda_memory_release() {
  return attempt([&] {
#ifdef ASRTORCH_CUDA
    c10::cuda::CUDACachingAllocator::emptyCache();
#else
    TORCH_CHECK(false, "This shim was built against a LibTorch without CUDA.");
#endif
  });
}

ASRT_API int32_t asrt_allow_tf32(int32_t which, int32_t set, int32_t* value) {
  return attempt([&] {
    auto& context = at::globalContext();
    if (set != 0) {
      if (which == 0) {
        context.setAllowTF32CuBLAS(*value != 0);
      } else {
        context.setAllowTF32CuDNN(*value != 0);
      }
    } else {
      *value = which == 0 ? context.allowTF32CuBLAS() : context.allowTF32CuDNN();
    }
  });
}

// --- random numbers -------------------------------------------------------------------------------------------------
ASRT_API at::Generator* asrt_generator_new(int64_t seed, int32_t device_type, int32_t device_index) {
  try {
    const auto device = device_of(device_type, device_index);
    auto made = device.is_cpu() ? at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(seed))
                                : at::globalContext().defaultGenerator(device).clone();
    made.set_current_seed(static_cast<uint64_t>(seed));
    return new at::Generator(std::move(made));
  } catch (...) {
    shim::remember();
    return nullptr;
  }
}
ASRT_API at::Generator* asrt_generator_default(int32_t device_type, int32_t device_index) {
  try {
    return new at::Generator(at::globalContext().defaultGenerator(device_of(device_type, device_index)));
  } catch (...) {
    shim::remember();
    return nullptr;
  }
}
ASRT_API void asrt_generator_free(at::Generator* g) { delete g; }
ASRT_API int32_t asrt_generator_seed(at::Generator* g, int64_t seed) {
  return attempt([&] {
    const std::lock_guard<std::mutex> lock(g->mutex());
    g->set_current_seed(static_cast<uint64_t>(seed));
  });
}
ASRT_API int32_t asrt_generator_new_seed(at::Generator* g, int64_t* seed) {
  return attempt([&] {
    const std::lock_guard<std::mutex> lock(g->mutex());
    *seed = static_cast<int64_t>(g->seed());
  });
}
ASRT_API int32_t asrt_generator_initial_seed(at::Generator* g, int64_t* seed) {
  return attempt([&] { *seed = static_cast<int64_t>(g->current_seed()); });
}
ASRT_API Handle asrt_generator_state(at::Generator* g) {
  return guard([&] {
    const std::lock_guard<std::mutex> lock(g->mutex());
    return g->get_state();
  });
}
ASRT_API int32_t asrt_generator_set_state(at::Generator* g, Handle state) {
  return attempt([&] {
    const std::lock_guard<std::mutex> lock(g->mutex());
    g->set_state(*state);
  });
}
// Seeds the generators of every device.
ASRT_API int32_t asrt_manual_seed(int64_t seed) {
  return attempt([&] { at::manual_seed(static_cast<uint64_t>(seed)); });
}
