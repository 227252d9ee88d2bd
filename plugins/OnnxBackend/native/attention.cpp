// The operator asr.platform.SelfAttention for ONNX Runtime: softmax(q k' / 8) v without a mask, for heads of 64, as Whisper's encoders have them.
//
//   query, key, value   float [batch, positions, heads * 64]
//   output              float [batch, positions, heads * 64]
//
// ONNX Runtime 1.30 computes this in float32 on processors. Here q k' is a product of bytes (vpdpbusd) and the rest one of bfloat16 (vdpbf16ps),
// which takes less than half the time: for exports whose weights are of 8 bits anyway. A query and a key have a scale each; keys are taken without
// their mean over the positions, which a softmax does not notice and which is most of what makes them large (SageAttention, arXiv:2410.02367).
//
// Processors without AVX-512's VNNI and BF16 have none of it: asr_attention_supported says so, and nothing is registered. ONNX Runtime then takes
// the body that the graph brings for the operator, its own MultiHeadAttention.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#if defined(__x86_64__) && defined(__GNUC__)
#define ASR_HAS_KERNEL 1
#include <immintrin.h>
#endif

#define ASR_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr size_t HeadWidth = 64;

#ifdef ASR_HAS_KERNEL

#define ISA __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16")))

// Six queries by 64 keys, or by a head's 64 values, are 24 registers of sums, and leave enough for what is multiplied.
constexpr size_t Queries = 6;
constexpr size_t Block = 64;

constexpr size_t padded(size_t positions) { return (positions + Block - 1) / Block * Block; }

// A head's keys and values, of padded positions. They are laid out as the products read them.
struct Memory {
  uint32_t* keys;    // [position / 16][dimension / 4][position % 16]: four signed bytes of one position
  float* scales;     // [position]: what 1 is worth in a key; 0 for padding
  int32_t* offsets;  // [position]: -128 times the sum of a key, since a query's bytes stand about 128
  uint32_t* values;  // [position / 2][dimension]: two bfloat16, of the even position and of the odd one

  static constexpr size_t bytes(size_t positions) { return padded(positions) * (64 + 4 + 4 + 128); }

  static Memory at(unsigned char* start, size_t positions) {
    const size_t n = padded(positions);
    return {reinterpret_cast<uint32_t*>(start), reinterpret_cast<float*>(start + 64 * n), reinterpret_cast<int32_t*>(start + 68 * n),
            reinterpret_cast<uint32_t*>(start + 72 * n)};
  }
};

// The compiler copies registers about the intrinsics of these two, which then costs more than the products do.
ISA inline __m512i dot(__m512i sum, __m512i unsigned_bytes, __m512i signed_bytes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(unsigned_bytes), "v"(signed_bytes));
  return sum;
}

ISA inline __m512 dot(__m512 sum, __m512i pairs, __m512i other) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(pairs), "v"(other));
  return sum;
}

// 0, or NaN where one of 64 numbers is none or infinite: bytes would hide that.
ISA inline float nothing_of(const __m512 (&x)[4]) { return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(x[0], x[1]), _mm512_add_ps(x[2], x[3]))) * 0; }

// The largest magnitude of 64 numbers, above 0.
ISA inline float largest(const __m512 (&x)[4]) {
  const __m512 a = _mm512_max_ps(_mm512_abs_ps(x[0]), _mm512_abs_ps(x[1])), b = _mm512_max_ps(_mm512_abs_ps(x[2]), _mm512_abs_ps(x[3]));
  return std::max(_mm512_reduce_max_ps(_mm512_max_ps(a, b)), 1e-20f);
}

ISA void pack(const float* key, const float* value, size_t stride, size_t positions, const Memory& memory) {
  const size_t all = padded(positions);
  __m512 mean[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t j = 0; j < positions; j++)
    for (int c = 0; c < 4; c++) mean[c] = _mm512_add_ps(mean[c], _mm512_loadu_ps(key + j * stride + 16 * c));
  for (int c = 0; c < 4; c++) mean[c] = _mm512_div_ps(mean[c], _mm512_set1_ps(static_cast<float>(positions)));
  const float nothing = nothing_of(mean);

  for (size_t j = 0; j < all; j++) {
    alignas(64) uint32_t words[16] = {};
    memory.scales[j] = 0;
    memory.offsets[j] = 0;
    if (j < positions) {
      __m512 x[4];
      for (int c = 0; c < 4; c++) x[c] = _mm512_sub_ps(_mm512_loadu_ps(key + j * stride + 16 * c), mean[c]);
      const float top = largest(x);
      const __m512 factor = _mm512_set1_ps(127 / top);
      __m512i sum = _mm512_setzero_si512();
      for (int c = 0; c < 4; c++) {
        const __m512i bytes = _mm512_cvtps_epi32(_mm512_mul_ps(x[c], factor));
        sum = _mm512_add_epi32(sum, bytes);
        _mm_store_si128(reinterpret_cast<__m128i*>(words) + c, _mm512_cvtepi32_epi8(bytes));
      }
      memory.scales[j] = top / 127 + nothing;
      memory.offsets[j] = -128 * _mm512_reduce_add_epi32(sum);
    }
    uint32_t* out = memory.keys + j / 16 * 256 + j % 16;
    for (size_t g = 0; g < 16; g++) out[16 * g] = words[g];
  }

  for (size_t j = 0; j < all; j += 2)
    for (int c = 0; c < 4; c++) {
      __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
      if (j < positions)
        even = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(value + j * stride + 16 * c))));
      if (j + 1 < positions)
        odd = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(value + (j + 1) * stride + 16 * c))));
      _mm512_store_si512(memory.values + j / 2 * HeadWidth + 16 * c, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
}

// Six queries by 64 keys. A function of its own, so that all of its sums stay in registers.
ISA __attribute__((noinline)) void products(const uint32_t (*queries)[16], const uint32_t* keys, const int32_t* offsets, int32_t (*out)[Block]) {
  __m512i sum[Queries][4];
#pragma GCC unroll 6
  for (size_t r = 0; r < Queries; r++)
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) sum[r][c] = _mm512_load_si512(offsets + 16 * c);
  for (size_t g = 0; g < 16; g++) {
    const __m512i k0 = _mm512_load_si512(keys + 16 * g), k1 = _mm512_load_si512(keys + 256 + 16 * g);
    const __m512i k2 = _mm512_load_si512(keys + 512 + 16 * g), k3 = _mm512_load_si512(keys + 768 + 16 * g);
#pragma GCC unroll 6
    for (size_t r = 0; r < Queries; r++) {
      const __m512i q = _mm512_set1_epi32(static_cast<int>(queries[r][g]));
      sum[r][0] = dot(sum[r][0], q, k0);
      sum[r][1] = dot(sum[r][1], q, k1);
      sum[r][2] = dot(sum[r][2], q, k2);
      sum[r][3] = dot(sum[r][3], q, k3);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < Queries; r++)
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) _mm512_store_si512(out[r] + 16 * c, sum[r][c]);
}

// 2^x of x <= 0 to 4e-6 of it: a polynomial of the fraction (minimax), and the exponent of the whole part.
ISA inline __m512 exp2(__m512 x) {
  const __m512 f = _mm512_reduce_ps(x, 1);
  __m512 y = _mm512_fmadd_ps(_mm512_set1_ps(0.013676f), f, _mm512_set1_ps(0.051727f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.241596f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(0.692997f));
  y = _mm512_fmadd_ps(y, f, _mm512_set1_ps(1.0000036f));
  return _mm512_scalef_ps(y, x);
}

// Six queries: their scores [6][padded], from these their weights [6][padded / 2] as pairs of bfloat16, and what they see.
ISA void attend(const float* const (&query)[Queries], size_t positions, const Memory& memory, float* scores, uint32_t* weights, float* const (&out)[Queries]) {
  // log2(e) / sqrt(64): the softmax is one of powers of 2.
  constexpr float Scale = 1.44269504f / 8;
  constexpr float Nothing = -1e30f;
  const size_t all = padded(positions);

  alignas(64) uint32_t bytes[Queries][16];
  float unit[Queries];
  for (size_t r = 0; r < Queries; r++) {
    __m512 x[4];
    for (int c = 0; c < 4; c++) x[c] = _mm512_loadu_ps(query[r] + 16 * c);
    const float top = largest(x);
    const __m512 factor = _mm512_set1_ps(127 / top);
    for (int c = 0; c < 4; c++) {
      const __m512i rounded = _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(x[c], factor)), _mm512_set1_epi32(128));
      _mm_store_si128(reinterpret_cast<__m128i*>(bytes[r]) + c, _mm512_cvtepi32_epi8(rounded));
    }
    unit[r] = top / 127 * Scale + nothing_of(x);
  }

  __m512 top[Queries];
#pragma GCC unroll 6
  for (size_t r = 0; r < Queries; r++) top[r] = _mm512_set1_ps(Nothing);
  for (size_t j = 0; j < all; j += Block) {
    alignas(64) int32_t product[Queries][Block];
    products(bytes, memory.keys + j * 16, memory.offsets + j, product);
    const size_t left = positions - j;
    const uint64_t inside = left >= Block ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
      const __m512 scale = _mm512_load_ps(memory.scales + j + 16 * c);
      const __mmask16 mask = static_cast<__mmask16>(inside >> 16 * c);
#pragma GCC unroll 6
      for (size_t r = 0; r < Queries; r++) {
        const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(product[r] + 16 * c)), scale);
        const __m512 score = _mm512_mask_mul_ps(_mm512_set1_ps(Nothing), mask, value, _mm512_set1_ps(unit[r]));
        top[r] = _mm512_max_ps(top[r], score);
        _mm512_store_ps(scores + r * all + j + 16 * c, score);
      }
    }
  }

  float norm[Queries];
  for (size_t r = 0; r < Queries; r++) {
    const __m512 most = _mm512_set1_ps(_mm512_reduce_max_ps(top[r]));
    const float* score = scores + r * all;
    uint32_t* weight = weights + r * all / 2;
    __m512 total = _mm512_setzero_ps(), other = _mm512_setzero_ps();
    for (size_t j = 0; j < all; j += 32) {
      const __m512 x = exp2(_mm512_sub_ps(_mm512_load_ps(score + j), most)), y = exp2(_mm512_sub_ps(_mm512_load_ps(score + j + 16), most));
      total = _mm512_add_ps(total, x);
      other = _mm512_add_ps(other, y);
      _mm512_store_si512(weight + j / 2, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y, x)));
    }
    norm[r] = 1 / _mm512_reduce_add_ps(_mm512_add_ps(total, other));
  }

  __m512 sum[Queries][4];
#pragma GCC unroll 6
  for (size_t r = 0; r < Queries; r++)
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) sum[r][c] = _mm512_setzero_ps();
  for (size_t j = 0; j < all / 2; j++) {
    const uint32_t* v = memory.values + j * HeadWidth;
    const __m512i v0 = _mm512_load_si512(v), v1 = _mm512_load_si512(v + 16), v2 = _mm512_load_si512(v + 32), v3 = _mm512_load_si512(v + 48);
#pragma GCC unroll 6
    for (size_t r = 0; r < Queries; r++) {
      const __m512i w = _mm512_set1_epi32(static_cast<int>(weights[r * all / 2 + j]));
      sum[r][0] = dot(sum[r][0], w, v0);
      sum[r][1] = dot(sum[r][1], w, v1);
      sum[r][2] = dot(sum[r][2], w, v2);
      sum[r][3] = dot(sum[r][3], w, v3);
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < Queries; r++)
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) _mm512_storeu_ps(out[r] + 16 * c, _mm512_mul_ps(sum[r][c], _mm512_set1_ps(norm[r])));
}

// Memory of a thread that is kept for its next call, because there is one every few milliseconds.
struct Scratch {
  unsigned char* data = nullptr;
  size_t size = 0;
  ~Scratch() { std::free(data); }

  unsigned char* of(size_t bytes) {
    if (size < bytes) {
      std::free(data);
      size = 0;
      data = static_cast<unsigned char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
      if (data != nullptr) size = bytes;
    }
    return data;
  }
};

// One call of the operator.
struct Work {
  static constexpr size_t TaskQueries = 16 * Queries;

  const float* query;
  const float* key;
  const float* value;
  float* output;
  size_t batch, positions, heads;
  unsigned char* memory;
  bool failed = false;

  size_t width() const { return heads * HeadWidth; }
  size_t tasks_of_head() const { return (positions + TaskQueries - 1) / TaskQueries; }
  size_t start(size_t head) const { return head / heads * positions * width() + head % heads * HeadWidth; }
  Memory of(size_t head) const { return Memory::at(memory + head * Memory::bytes(positions), positions); }

  static void pack_head(void* self, size_t head) {
    const Work& work = *static_cast<Work*>(self);
    const size_t at = work.start(head);
    pack(work.key + at, work.value + at, work.width(), work.positions, work.of(head));
  }

  static void attend_some(void* self, size_t task) {
    Work& work = *static_cast<Work*>(self);
    const size_t head = task / work.tasks_of_head(), first = task % work.tasks_of_head() * TaskQueries;
    const size_t all = padded(work.positions), width = work.width(), at = work.start(head);
    thread_local Scratch scratch;
    unsigned char* room = scratch.of(Queries * all * 6);
    if (room == nullptr) {
      work.failed = true;
      return;
    }
    const Memory memory = work.of(head);
    for (size_t i = first; i < std::min(first + TaskQueries, work.positions); i += Queries) {
      const float* query[Queries];
      float* out[Queries];
      for (size_t r = 0; r < Queries; r++) {
        // Where there are fewer than six left, the last one is computed again.
        const size_t place = at + std::min(i + r, work.positions - 1) * width;
        query[r] = work.query + place;
        out[r] = work.output + place;
      }
      attend(query, work.positions, memory, reinterpret_cast<float*>(room), reinterpret_cast<uint32_t*>(room + Queries * all * 4), out);
    }
  }
};

#endif  // ASR_HAS_KERNEL

// ONNX Runtime's C API: a table of functions, of which these positions are used. It only ever grows at its end.
using Api = const void* const*;

enum Position : size_t {
  CreateStatus = 0,
  CreateCustomOpDomain = 26,
  CustomOpDomainAdd = 27,
  AddCustomOpDomain = 28,
  GetTensorMutableData = 51,
  GetDimensionsCount = 61,
  GetDimensions = 62,
  GetTensorTypeAndShape = 65,
  KernelContextGetInput = 90,
  KernelContextGetOutput = 91,
  ReleaseTensorTypeAndShapeInfo = 99,
  ShapeInferContextGetInputTypeShape = 268,
  ShapeInferContextSetOutputTypeShape = 270,
  KernelContextParallelFor = 274,
};

// The first that has all of them, and whose OrtCustomOp is the one below.
constexpr uint32_t ApiVersion = 22;

struct ApiBase {
  Api (*get_api)(uint32_t version);
  const char* (*get_version)();
};

Api api;

// Calls the function at a position: a status, null for success.
template <typename... Arguments>
void* call(Position position, Arguments... arguments) {
  return reinterpret_cast<void* (*)(Arguments...)>(const_cast<void*>(api[position]))(arguments...);
}

void* failure(const char* message) { return call(CreateStatus, 1, message); }

#ifdef ASR_HAS_KERNEL

constexpr const char* Domain = "asr.platform";

struct Input {
  const float* data = nullptr;
  int64_t shape[3] = {};
};

// Reads an input of three dimensions.
void* read(void* context, size_t index, Input& input) {
  const void* value = nullptr;
  void* info = nullptr;
  void* data = nullptr;
  size_t dimensions = 0;
  if (void* status = call(KernelContextGetInput, context, index, &value)) return status;
  if (void* status = call(GetTensorTypeAndShape, value, &info)) return status;
  void* status = call(GetDimensionsCount, static_cast<const void*>(info), &dimensions);
  if (status == nullptr && dimensions == 3) status = call(GetDimensions, static_cast<const void*>(info), input.shape, dimensions);
  call(ReleaseTensorTypeAndShapeInfo, info);
  if (status == nullptr && dimensions != 3) status = failure("asr.platform.SelfAttention takes tensors of three dimensions: [batch, positions, heads * 64]");
  if (status == nullptr) status = call(GetTensorMutableData, const_cast<void*>(value), &data);
  input.data = static_cast<const float*>(data);
  return status;
}

void* compute(void*, void* context) {
  Input query, key, value;
  if (void* status = read(context, 0, query)) return status;
  if (void* status = read(context, 1, key)) return status;
  if (void* status = read(context, 2, value)) return status;
  if (query.shape[2] % static_cast<int64_t>(HeadWidth) != 0 || !std::equal(query.shape, query.shape + 3, key.shape) || !std::equal(query.shape, query.shape + 3, value.shape))
    return failure("asr.platform.SelfAttention takes a query, a key and a value of the same shape [batch, positions, heads * 64]");

  void* result = nullptr;
  void* output = nullptr;
  if (void* status = call(KernelContextGetOutput, context, size_t{0}, static_cast<const int64_t*>(query.shape), size_t{3}, &result)) return status;
  if (void* status = call(GetTensorMutableData, result, &output)) return status;
  Work work{query.data, key.data, value.data, static_cast<float*>(output), static_cast<size_t>(query.shape[0]), static_cast<size_t>(query.shape[1]),
            static_cast<size_t>(query.shape[2]) / HeadWidth, nullptr};
  const size_t heads = work.batch * work.heads;
  if (heads == 0 || work.positions == 0) return nullptr;

  work.memory = static_cast<unsigned char*>(std::aligned_alloc(64, heads * Memory::bytes(work.positions)));
  if (work.memory == nullptr) return failure("asr.platform.SelfAttention: out of memory");
  void* status = call(KernelContextParallelFor, static_cast<const void*>(context), &Work::pack_head, heads, size_t{0}, static_cast<void*>(&work));
  if (status == nullptr)
    status = call(KernelContextParallelFor, static_cast<const void*>(context), &Work::attend_some, heads * work.tasks_of_head(), size_t{0}, static_cast<void*>(&work));
  std::free(work.memory);
  return status == nullptr && work.failed ? failure("asr.platform.SelfAttention: out of memory") : status;
}

// OrtCustomOp, as it is since version 18 of the API. Functions of other signatures that are not used stand as void*.
struct CustomOp {
  uint32_t version;
  void* (*create)(const CustomOp*, Api, const void*);
  const char* (*name)(const CustomOp*);
  const char* (*provider)(const CustomOp*);
  int (*input_type)(const CustomOp*, size_t);
  size_t (*inputs)(const CustomOp*);
  int (*output_type)(const CustomOp*, size_t);
  size_t (*outputs)(const CustomOp*);
  void (*compute_v1)(void*, void*);
  void (*destroy)(void*);
  int (*input_characteristic)(const CustomOp*, size_t);
  int (*output_characteristic)(const CustomOp*, size_t);
  int (*input_memory)(const CustomOp*, size_t);
  int (*variadic_input_least)(const CustomOp*);
  int (*variadic_input_same)(const CustomOp*);
  int (*variadic_output_least)(const CustomOp*);
  int (*variadic_output_same)(const CustomOp*);
  void* (*create_v2)(const CustomOp*, Api, const void*, void**);
  void* (*compute)(void*, void*);
  void* (*infer)(const CustomOp*, void*);
  int (*start_version)(const CustomOp*);
  int (*end_version)(const CustomOp*);
  void* may_inplace;
  void* release_may_inplace;
  void* alias_map;
  void* release_alias_map;
};

constexpr int Float = 1;

// The output has the query's shape.
void* infer(const CustomOp*, void* context) {
  void* shape = nullptr;
  if (void* status = call(ShapeInferContextGetInputTypeShape, static_cast<const void*>(context), size_t{0}, &shape)) return status;
  return call(ShapeInferContextSetOutputTypeShape, static_cast<const void*>(context), size_t{0}, static_cast<const void*>(shape));
}

const CustomOp SelfAttention = {
    ApiVersion,
    [](const CustomOp*, Api, const void*) -> void* { return nullptr; },
    [](const CustomOp*) { return "SelfAttention"; },
    [](const CustomOp*) -> const char* { return nullptr; },
    [](const CustomOp*, size_t) { return Float; },
    [](const CustomOp*) { return size_t{3}; },
    [](const CustomOp*, size_t) { return Float; },
    [](const CustomOp*) { return size_t{1}; },
    [](void*, void*) {},
    [](void*) {},
    [](const CustomOp*, size_t) { return 0; },
    [](const CustomOp*, size_t) { return 0; },
    [](const CustomOp*, size_t) { return 0; },
    [](const CustomOp*) { return 1; },
    [](const CustomOp*) { return 1; },
    [](const CustomOp*) { return 1; },
    [](const CustomOp*) { return 1; },
    [](const CustomOp*, Api, const void*, void** kernel) -> void* {
      // There is nothing to keep, but null may mean failure.
      static char state;
      *kernel = &state;
      return nullptr;
    },
    compute,
    infer,
    [](const CustomOp*) { return 1; },
    [](const CustomOp*) { return 1; },
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

#endif  // ASR_HAS_KERNEL

}  // namespace

// Whether this processor has the instructions.
ASR_EXPORT int asr_attention_supported() {
#ifdef ASR_HAS_KERNEL
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
#else
  return 0;
#endif
}

// What ONNX Runtime calls when it is given this library for a session's options. Null is success.
ASR_EXPORT void* RegisterCustomOps(void* options, const ApiBase* base) {
  api = base->get_api(ApiVersion);
  // An older runtime says so itself on stderr, and its sessions take the body that the graph brings.
  if (api == nullptr || asr_attention_supported() == 0) return nullptr;
#ifdef ASR_HAS_KERNEL
  // One domain for all sessions, which must live as long as they do: it is never released.
  static std::mutex gate;
  static void* domain;
  const std::lock_guard<std::mutex> lock(gate);
  if (domain == nullptr) {
    void* made = nullptr;
    if (void* status = call(CreateCustomOpDomain, Domain, &made)) return status;
    if (void* status = call(CustomOpDomainAdd, made, &SelfAttention)) return status;
    domain = made;
  }
  return call(AddCustomOpDomain, options, domain);
#else
  return nullptr;
#endif
}
