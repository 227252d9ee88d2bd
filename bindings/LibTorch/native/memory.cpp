// Memory of CPU tensors, kept for the next tensor.
//
// malloc gives large blocks back to the system when they are freed, and every page of the next one costs a fault: the
// softmax of Whisper tiny's attention over 30 s (54 MB) took 30 ms of which 21 ms were faults. Here blocks above 64 KiB
// wait in lists by size, up to a limit; beyond it all that wait are given back at once.
#include "shim.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

constexpr size_t small_limit = size_t{64} << 10;
constexpr size_t huge_page = size_t{2} << 20;
// In front of each block; as large as the alignment that LibTorch's kernels expect.
struct alignas(64) Header {
  size_t bytes;  // of the block, without this header
  Header* next;  // the next one that waits
};
static_assert(sizeof(Header) == 64);

// Eight sizes for each power of two: at most an eighth is wasted.
struct SizeClass {
  size_t bytes;
  size_t index;
};
SizeClass size_class(size_t bytes) {
  size_t power = 63 - static_cast<size_t>(__builtin_clzll(bytes));
  const size_t step = size_t{1} << (power - 3);
  const size_t rounded = (bytes + step - 1) & ~(step - 1);
  if (rounded >> power == 2) power++;
  return {rounded, (power * 8) + ((rounded >> (power - 3)) & 7)};
}

class TensorMemory final : public c10::Allocator {
 public:
#if ASRT_TORCH >= 203
  c10::DataPtr allocate(size_t bytes) override {
    auto* data = const_cast<TensorMemory*>(this)->take(bytes);
#else
  c10::DataPtr allocate(size_t bytes) const override {
    auto* data = const_cast<TensorMemory*>(this)->take(bytes);
#endif
    return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  // Asked for since 2.2.
  void copy_data(void* to, const void* from, size_t count) const { std::memcpy(to, from, count); }

  void set_limit(size_t bytes) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_ = bytes;
    if (waiting_ > limit_) drop();
  }

  void give_back() {
    const std::lock_guard<std::mutex> lock(mutex_);
    drop();
  }

  void report(int64_t* out) {
    const std::lock_guard<std::mutex> lock(mutex_);
    out[0] = live_.load();
    out[1] = static_cast<int64_t>(waiting_);
    out[2] = peak_.load();
  }

  void reset_peak() { peak_ = live_.load(); }

 private:
  void* take(size_t bytes) {
    if (bytes == 0) return nullptr;
    Header* block = nullptr;
    size_t wanted = bytes;
    if (bytes > small_limit) {
      const auto c = size_class(bytes);
      wanted = c.bytes;
      const std::lock_guard<std::mutex> lock(mutex_);
      block = lists_[c.index];
      if (block != nullptr) {
        lists_[c.index] = block->next;
        waiting_ -= wanted;
      }
    }
    if (block == nullptr) {
      block = from_system(wanted);
      if (block == nullptr) {
        give_back();
        block = from_system(wanted);
        TORCH_CHECK(block != nullptr, "There is no memory for a tensor of ", bytes, " bytes.");
      }
      block->bytes = wanted;
    }
    const auto now = live_ += static_cast<int64_t>(wanted);
    for (auto peak = peak_.load(); now > peak && !peak_.compare_exchange_weak(peak, now);) {
    }
    return block + 1;
  }

  void put(void* data) {
    auto* block = static_cast<Header*>(data) - 1;
    live_ -= static_cast<int64_t>(block->bytes);
    if (block->bytes > small_limit) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (waiting_ + block->bytes > limit_) drop();
      if (block->bytes <= limit_) {
        auto& list = lists_[size_class(block->bytes).index];
        block->next = list;
        list = block;
        waiting_ += block->bytes;
        return;
      }
    }
    std::free(block);
  }

  void drop() {
    for (auto& list : lists_) {
      while (list != nullptr) {
        auto* next = list->next;
        std::free(list);
        list = next;
      }
    }
    waiting_ = 0;
  }

  static Header* from_system(size_t bytes) {
    const bool huge = bytes >= 2 * huge_page;
    void* memory = nullptr;
    if (posix_memalign(&memory, huge ? huge_page : alignof(Header), bytes + sizeof(Header)) != 0) return nullptr;
#if defined(__linux__)
    if (huge) madvise(memory, bytes + sizeof(Header), MADV_HUGEPAGE);  // a hint: failing costs nothing
#endif
    return static_cast<Header*>(memory);
  }

  static void release(void* data);

  std::mutex mutex_;
  std::array<Header*, 65 * 8> lists_{};
  size_t waiting_ = 0;
  size_t limit_ = 0;
  std::atomic<int64_t> live_{0};
  std::atomic<int64_t> peak_{0};
};

// Never destroyed: tensors may outlive every static object.
TensorMemory& memory() {
  static auto* const instance = new TensorMemory();
  return *instance;
}

void TensorMemory::release(void* data) {
  if (data != nullptr) memory().put(data);
}

}  // namespace

// Takes over the memory of CPU tensors; at most `limit` bytes wait for reuse.
ASRT_API int32_t asrt_cpu_memory_enable(int64_t limit) {
  return attempt([&] {
    memory().set_limit(static_cast<size_t>(limit));
    c10::SetCPUAllocator(&memory(), 1);
  });
}
// Bytes that live, that wait for reuse, and the most that lived at once.
ASRT_API void asrt_cpu_memory(int64_t* out) { memory().report(out); }
ASRT_API void asrt_cpu_memory_reset_peak() { memory().reset_peak(); }
ASRT_API void asrt_cpu_memory_release() { memory().give_back(); }
