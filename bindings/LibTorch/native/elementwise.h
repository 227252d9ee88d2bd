// GELU and softmax of contiguous float32, without gradients.
#pragma once

#include <cstdint>

namespace shim {

// Whether this processor has the instructions for it.
bool elementwise_supported();

// y = x Phi(x), the exact form; y may be x.
void gelu(const float* x, float* y, int64_t count);

// Each of the rows becomes its softmax; y may be x.
void softmax(const float* x, float* y, int64_t rows, int64_t columns);

}  // namespace shim
