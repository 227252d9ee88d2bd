// y = x w^T + b for a few rows x, as a decoder step has them.
#pragma once

#include <cstdint>

namespace shim {

constexpr int64_t few_rows = 8;

// Whether this processor has the instructions for it.
bool few_rows_supported();

// y[m, n] = sum over k of x[m, k] w[n, k], plus b[n], for n from `begin` up to `end`. Row-major, b may be null.
void few_rows_product(const float* x, int64_t m, const float* w, const float* b, float* y, int64_t k, int64_t n, int64_t begin, int64_t end);

}  // namespace shim
