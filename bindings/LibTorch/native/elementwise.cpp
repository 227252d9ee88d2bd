// Of Whisper's encoder on the processor, LibTorch 1.13 spends a third outside the matrix products: its erf goes through a
// scalar library function (3 ns a value), its softmax takes three times as long as the arithmetic.
#include "elementwise.h"

#if defined(__x86_64__)

#include <cstring>
#include <limits>

namespace shim {
namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

// erf(z) = z P(z^2) / Q(z^2) for z from 0 to 3.92, where it is 1 in float32 from then on; 1.6e-8 at most from the truth
// (fitted by reweighted least squares).
constexpr float P[] = {1.12837902f, 0.192764698f, 0.0530605658f, 0.00386835465f, 0.000287480002f, 2.03473025e-6f};
constexpr float Q[] = {1.0f, 0.504164932f, 0.115084884f, 0.0151723507f, 0.00118812173f, 3.80706237e-5f};
constexpr float erf_is_one = 3.92f;

// e^r = 1 + r + r^2 E(r) for |r| up to ln 2 / 2; relative error 3e-9 (fitted likewise).
constexpr float E[] = {0.499999934f, 0.166665206f, 0.041668388f, 0.00836871696f, 0.00138145988f};
constexpr float log2_e = 1.44269504f;
// ln 2 in two parts, the first exact in few bits.
constexpr float ln2_high = 0.693359375f;
constexpr float ln2_low = -2.12194440e-4f;
// 1.5 * 2^23: adding it rounds to an integer, which then is the low bits.
constexpr float round_to_integer = 12582912.0f;
// Below, e^x is less than the smallest normal number: 0.
constexpr float exp_is_zero = -87.3f;

#define ASRT_ELEMENTWISE(NAME, TARGET, W)                                                                                \
  namespace NAME {                                                                                                       \
  typedef float Vector __attribute__((vector_size(W * 4), aligned(4), may_alias));                                       \
  typedef int32_t Integers __attribute__((vector_size(W * 4), aligned(4), may_alias));                                   \
                                                                                                                         \
  __attribute__((target(TARGET), always_inline)) inline Vector load(const float* x) {                                    \
    return *reinterpret_cast<const Vector*>(x);                                                                          \
  }                                                                                                                      \
  /* The last values of a row, the rest of the vector filled up. */                                                      \
  __attribute__((target(TARGET), always_inline)) inline Vector load_end(const float* x, int64_t count, float fill) {     \
    Vector v = Vector{} + fill;                                                                                          \
    std::memcpy(&v, x, static_cast<size_t>(count) * 4);                                                                  \
    return v;                                                                                                            \
  }                                                                                                                      \
                                                                                                                         \
  __attribute__((target(TARGET), always_inline)) inline Vector gelu(Vector x) {                                          \
    const Vector scaled = x * 0.707106781f;                                                                              \
    const Vector z = scaled < 0 ? -scaled : scaled;                                                                      \
    const Vector u = z * z;                                                                                              \
    Vector p = Vector{} + P[5];                                                                                          \
    Vector q = Vector{} + Q[5];                                                                                          \
    for (int i = 4; i >= 0; i--) {                                                                                       \
      p = p * u + P[i];                                                                                                  \
      q = q * u + Q[i];                                                                                                  \
    }                                                                                                                    \
    const Vector ratio = z * p / q;                                                                                      \
    const Vector erf = z >= erf_is_one ? Vector{} + 1.0f : ratio;                                                        \
    return 0.5f * x * (1.0f + (scaled < 0 ? -erf : erf));                                                                \
  }                                                                                                                      \
                                                                                                                         \
  __attribute__((target(TARGET), always_inline)) inline Vector exp_of_negative(Vector x) {                               \
    const Vector shifted = x * log2_e + round_to_integer;                                                                \
    const Vector n = shifted - round_to_integer;                                                                         \
    const Vector r = (x - n * ln2_high) - n * ln2_low;                                                                   \
    Vector e = Vector{} + E[4];                                                                                          \
    for (int i = 3; i >= 0; i--) e = e * r + E[i];                                                                       \
    const Vector y = r * r * e + r + 1.0f;                                                                               \
    Integers bits;                                                                                                       \
    Integers power;                                                                                                      \
    std::memcpy(&bits, &y, sizeof bits);                                                                                 \
    std::memcpy(&power, &shifted, sizeof power);                                                                         \
    bits += power << 23;                                                                                                 \
    Vector result;                                                                                                       \
    std::memcpy(&result, &bits, sizeof result);                                                                          \
    /* What is no number is not less, and stays none. */                                                                 \
    return x < exp_is_zero ? Vector{} : (x == x ? result : x);                                                           \
  }                                                                                                                      \
                                                                                                                         \
  __attribute__((target(TARGET))) void gelu(const float* x, float* y, int64_t count) {                                   \
    int64_t i = 0;                                                                                                       \
    for (; i + W <= count; i += W) *reinterpret_cast<Vector*>(y + i) = gelu(load(x + i));                                \
    if (i < count) {                                                                                                     \
      const Vector v = gelu(load_end(x + i, count - i, 0));                                                              \
      std::memcpy(y + i, &v, static_cast<size_t>(count - i) * 4);                                                        \
    }                                                                                                                    \
  }                                                                                                                      \
                                                                                                                         \
  __attribute__((target(TARGET))) void softmax_row(const float* x, float* y, int64_t n) {                                \
    const int64_t whole = n - (n % W);                                                                                   \
    Vector most = load_end(x + whole, n - whole, never);                                                                 \
    Vector most2 = most;                                                                                                 \
    int64_t i = 0;                                                                                                       \
    for (; i + 2 * W <= whole; i += 2 * W) {                                                                             \
      const Vector a = load(x + i);                                                                                      \
      const Vector b = load(x + i + W);                                                                                  \
      most = a > most ? a : most;                                                                                        \
      most2 = b > most2 ? b : most2;                                                                                     \
    }                                                                                                                    \
    for (; i < whole; i += W) {                                                                                          \
      const Vector a = load(x + i);                                                                                      \
      most = a > most ? a : most;                                                                                        \
    }                                                                                                                    \
    most = most2 > most ? most2 : most;                                                                                  \
    float top = most[0];                                                                                                 \
    for (int lane = 1; lane < W; lane++) top = most[lane] > top ? most[lane] : top;                                      \
    Vector sums = {};                                                                                                    \
    for (i = 0; i < whole; i += W) {                                                                                     \
      const Vector e = exp_of_negative(load(x + i) - top);                                                               \
      *reinterpret_cast<Vector*>(y + i) = e;                                                                             \
      sums += e;                                                                                                         \
    }                                                                                                                    \
    if (whole < n) {                                                                                                     \
      const Vector e = exp_of_negative(load_end(x + whole, n - whole, never) - top);                                     \
      std::memcpy(y + whole, &e, static_cast<size_t>(n - whole) * 4);                                                    \
      sums += e;                                                                                                         \
    }                                                                                                                    \
    float sum = 0;                                                                                                       \
    for (int lane = 0; lane < W; lane++) sum += sums[lane];                                                              \
    const float scale = 1 / sum;                                                                                         \
    for (i = 0; i < whole; i += W) *reinterpret_cast<Vector*>(y + i) = load(y + i) * scale;                              \
    for (i = whole; i < n; i++) y[i] *= scale;                                                                           \
  }                                                                                                                      \
                                                                                                                         \
  void softmax(const float* x, float* y, int64_t rows, int64_t columns) {                                                \
    for (int64_t row = 0; row < rows; row++) softmax_row(x + row * columns, y + row * columns, columns);                 \
  }                                                                                                                      \
  }

ASRT_ELEMENTWISE(wide, "avx512f", 16)
ASRT_ELEMENTWISE(narrow, "avx2,fma", 8)

struct Kernels {
  void (*gelu)(const float*, float*, int64_t);
  void (*softmax)(const float*, float*, int64_t, int64_t);
};

Kernels choose() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return {wide::gelu, wide::softmax};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {narrow::gelu, narrow::softmax};
  return {nullptr, nullptr};
}

const Kernels kernels = choose();

}  // namespace

bool elementwise_supported() { return kernels.gelu != nullptr; }

void gelu(const float* x, float* y, int64_t count) { kernels.gelu(x, y, count); }

void softmax(const float* x, float* y, int64_t rows, int64_t columns) { kernels.softmax(x, y, rows, columns); }

}  // namespace shim

#else

namespace shim {
bool elementwise_supported() { return false; }
void gelu(const float*, float*, int64_t) {}
void softmax(const float*, float*, int64_t, int64_t) {}
}  // namespace shim

#endif
