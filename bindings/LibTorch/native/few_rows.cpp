// OpenBLAS packs the whole weight before it multiplies, for one row as for a thousand: 120 us for 384 x 1536, of which
// reading the weight once is 24 us. These kernels read it once, for all rows together.
#include "few_rows.h"

#if defined(__x86_64__)

namespace shim {
namespace {

// As many rows of the weight at once as leave M R sums, R weights and one input in the registers (32 wide, 16 narrow).
constexpr int rows_at_once(int w, int m) {
  const int registers = w == 16 ? 32 : 16;
  int r = (registers - 2) / (m + 1);
  return r > 4 ? 4 : r < 1 ? 1 : r;
}

// R rows of the weight against M rows of x, in vectors of W floats. The vectors keep partial sums for each lane. The
// rows that come next are asked for early: the weights of the output projection come from main memory.
#define ASRT_FEW_ROWS(NAME, TARGET, W)                                                                                   \
  template <int M, int R>                                                                                                \
  __attribute__((target(TARGET))) inline void NAME##_block(const float* x, const float* w, float* sums, int64_t k) {     \
    typedef float Vector __attribute__((vector_size(W * 4), aligned(4), may_alias));                                     \
    Vector acc[M][R] = {};                                                                                               \
    int64_t i = 0;                                                                                                       \
    for (; i + W <= k; i += W) {                                                                                         \
      Vector weight[R];                                                                                                  \
      for (int r = 0; r < R; r++) {                                                                                      \
        weight[r] = *reinterpret_cast<const Vector*>(w + (r * k) + i);                                                   \
        __builtin_prefetch(w + ((r + R) * k) + i);                                                                       \
      }                                                                                                                  \
      for (int m = 0; m < M; m++) {                                                                                      \
        const Vector input = *reinterpret_cast<const Vector*>(x + (m * k) + i);                                          \
        for (int r = 0; r < R; r++) acc[m][r] += input * weight[r];                                                      \
      }                                                                                                                  \
    }                                                                                                                    \
    for (int m = 0; m < M; m++) {                                                                                        \
      for (int r = 0; r < R; r++) {                                                                                      \
        float sum = 0;                                                                                                   \
        for (int lane = 0; lane < W; lane++) sum += acc[m][r][lane];                                                     \
        for (int64_t j = i; j < k; j++) sum += x[(m * k) + j] * w[(r * k) + j];                                          \
        sums[(m * R) + r] = sum;                                                                                         \
      }                                                                                                                  \
    }                                                                                                                    \
  }                                                                                                                      \
  template <int M>                                                                                                       \
  __attribute__((target(TARGET))) void NAME(const float* x, const float* w, const float* b, float* y, int64_t k,         \
                                            int64_t n, int64_t begin, int64_t end) {                                     \
    constexpr int R = rows_at_once(W, M);                                                                                \
    float sums[M * R];                                                                                                   \
    int64_t row = begin;                                                                                                 \
    for (; row + R <= end; row += R) {                                                                                   \
      NAME##_block<M, R>(x, w + (row * k), sums, k);                                                                     \
      for (int m = 0; m < M; m++) {                                                                                      \
        for (int r = 0; r < R; r++) y[(m * n) + row + r] = sums[(m * R) + r] + (b == nullptr ? 0.0f : b[row + r]);       \
      }                                                                                                                  \
    }                                                                                                                    \
    for (; row < end; row++) {                                                                                           \
      NAME##_block<M, 1>(x, w + (row * k), sums, k);                                                                     \
      for (int m = 0; m < M; m++) y[(m * n) + row] = sums[m] + (b == nullptr ? 0.0f : b[row]);                           \
    }                                                                                                                    \
  }

ASRT_FEW_ROWS(wide, "avx512f", 16)
ASRT_FEW_ROWS(narrow, "avx2,fma", 8)

using Kernel = void (*)(const float*, const float*, const float*, float*, int64_t, int64_t, int64_t, int64_t);
constexpr Kernel wide_kernels[] = {wide<1>, wide<2>, wide<3>, wide<4>, wide<5>, wide<6>, wide<7>, wide<8>};
constexpr Kernel narrow_kernels[] = {narrow<1>, narrow<2>, narrow<3>, narrow<4>, narrow<5>, narrow<6>, narrow<7>, narrow<8>};

const Kernel* choose() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return wide_kernels;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return narrow_kernels;
  return nullptr;
}

const Kernel* const kernels = choose();

}  // namespace

bool few_rows_supported() { return kernels != nullptr; }

void few_rows_product(const float* x, int64_t m, const float* w, const float* b, float* y, int64_t k, int64_t n, int64_t begin, int64_t end) {
  kernels[m - 1](x, w, b, y, k, n, begin, end);
}

}  // namespace shim

#else

namespace shim {
bool few_rows_supported() { return false; }
void few_rows_product(const float*, int64_t, const float*, const float*, float*, int64_t, int64_t, int64_t, int64_t) {}
}  // namespace shim

#endif
