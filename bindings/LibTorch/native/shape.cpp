// Views, joins, splits and indexing.
#include "shim.h"

#define DIMS const int64_t *dims, int32_t n
#define REF ints(dims, n)

ASRT_API Handle asrt_view(Handle t, DIMS) {
  return guard([&] { return t->view(REF); });
}
ASRT_API Handle asrt_reshape(Handle t, DIMS) {
  return guard([&] { return t->reshape(REF); });
}
ASRT_API Handle asrt_expand(Handle t, DIMS, int32_t implicit) {
  return guard([&] { return t->expand(REF, implicit != 0); });
}
ASRT_API Handle asrt_permute(Handle t, DIMS) {
  return guard([&] { return t->permute(REF); });
}
ASRT_API Handle asrt_repeat(Handle t, DIMS) {
  return guard([&] { return t->repeat(REF); });
}
ASRT_API Handle asrt_flip(Handle t, DIMS) {
  return guard([&] { return t->flip(REF); });
}
ASRT_API Handle asrt_roll(Handle t, const int64_t* shifts, int32_t count, DIMS) {
  return guard([&] { return t->roll(ints(shifts, count), REF); });
}
ASRT_API Handle asrt_broadcast_to(Handle t, DIMS) {
  return guard([&] { return t->broadcast_to(REF); });
}
ASRT_API Handle asrt_movedim(Handle t, const int64_t* from, int32_t count, DIMS) {
  return guard([&] { return t->movedim(ints(from, count), REF); });
}
ASRT_API Handle asrt_unflatten(Handle t, int64_t dim, DIMS) {
  // 1.13 has no overload without names.
  return guard([&] {
    const auto at = dim < 0 ? dim + t->dim() : dim;
    TORCH_CHECK(at >= 0 && at < t->dim(), "unflatten: dimension ", dim, " of a tensor with ", t->dim());
    std::vector<int64_t> shape(t->sizes().begin(), t->sizes().begin() + at);
    shape.insert(shape.end(), dims, dims + n);
    shape.insert(shape.end(), t->sizes().begin() + at + 1, t->sizes().end());
    int64_t known = 1;
    int64_t open = 0;
    for (int32_t i = 0; i < n; i++) {
      if (dims[i] == -1) {
        open++;
      } else {
        known *= dims[i];
      }
    }
    TORCH_CHECK(open <= 1 && (open == 0 ? known == t->size(at) : known != 0 && t->size(at) % known == 0),
                "unflatten: ", at::IntArrayRef(dims, n), " does not multiply to ", t->size(at));
    if (open == 1) {
      for (int32_t i = 0; i < n; i++) {
        if (shape[at + i] == -1) shape[at + i] = t->size(at) / known;
      }
    }
    return t->view(shape);
  });
}
ASRT_API Handle asrt_as_strided(Handle t, DIMS, const int64_t* strides, int32_t count, int64_t offset) {
  return guard([&] { return t->as_strided(REF, ints(strides, count), offset); });
}
ASRT_API Handle asrt_flatten(Handle t, int64_t start, int64_t end) {
  return guard([&] { return t->flatten(start, end); });
}
ASRT_API Handle asrt_transpose(Handle t, int64_t a, int64_t b) {
  return guard([&] { return t->transpose(a, b); });
}
ASRT_API Handle asrt_t(Handle t) {
  return guard([&] { return t->t(); });
}
ASRT_API Handle asrt_numpy_T(Handle t) {
  return guard([&] { return t->numpy_T(); });
}
ASRT_API Handle asrt_mT(Handle t) {
  return guard([&] { return t->mT(); });
}
ASRT_API Handle asrt_squeeze(Handle t, int64_t dim, int32_t given) {
  return guard([&] { return given != 0 ? t->squeeze(dim) : t->squeeze(); });
}
ASRT_API Handle asrt_unsqueeze(Handle t, int64_t dim) {
  return guard([&] { return t->unsqueeze(dim); });
}
ASRT_API int32_t asrt_squeeze_(Handle t, int64_t dim, int32_t given) {
  return attempt([&] { given != 0 ? t->squeeze_(dim) : t->squeeze_(); });
}
ASRT_API int32_t asrt_unsqueeze_(Handle t, int64_t dim) {
  return attempt([&] { t->unsqueeze_(dim); });
}
ASRT_API Handle asrt_narrow(Handle t, int64_t dim, int64_t start, int64_t length) {
  return guard([&] { return t->narrow(dim, start, length); });
}
ASRT_API Handle asrt_select(Handle t, int64_t dim, int64_t index) {
  return guard([&] { return t->select(dim, index); });
}
ASRT_API Handle asrt_slice(Handle t, int64_t dim, int64_t start, int64_t end, int64_t step) {
  return guard([&] { return t->slice(dim, start, end, step); });
}
ASRT_API Handle asrt_unfold(Handle t, int64_t dim, int64_t size, int64_t step) {
  return guard([&] { return t->unfold(dim, size, step); });
}
ASRT_API Handle asrt_diagonal(Handle t, int64_t offset, int64_t a, int64_t b) {
  return guard([&] { return t->diagonal(offset, a, b); });
}

ASRT_API Handle asrt_cat(const Handle* list, int32_t count, int64_t dim) {
  return guard([&] { return at::cat(tensors(list, count), dim); });
}
ASRT_API Handle asrt_stack(const Handle* list, int32_t count, int64_t dim) {
  return guard([&] { return at::stack(tensors(list, count), dim); });
}

namespace {
// The pieces as handles; returns their number, or -1. The caller made room for `capacity`.
template <class F> int32_t pieces(Handle* out, int32_t capacity, F&& f) noexcept {
  int32_t made = 0;
  const auto status = attempt([&] {
    const std::vector<at::Tensor> list = f();
    TORCH_CHECK(static_cast<int64_t>(list.size()) <= capacity, "More pieces than expected: ", list.size());
    for (const auto& piece : list) {
      out[made] = new at::Tensor(piece);
      made++;
    }
  });
  if (status == 0) return made;
  while (made > 0) delete out[--made];
  return -1;
}
}  // namespace

ASRT_API int32_t asrt_split(Handle t, int64_t size, int64_t dim, Handle* out, int32_t capacity) {
  return pieces(out, capacity, [&] { return t->split(size, dim); });
}
ASRT_API int32_t asrt_split_sizes(Handle t, const int64_t* sizes, int32_t count, int64_t dim, Handle* out, int32_t capacity) {
  return pieces(out, capacity, [&] { return t->split_with_sizes(ints(sizes, count), dim); });
}
ASRT_API int32_t asrt_chunk(Handle t, int64_t chunks, int64_t dim, Handle* out, int32_t capacity) {
  return pieces(out, capacity, [&] { return t->chunk(chunks, dim); });
}
ASRT_API int32_t asrt_unbind(Handle t, int64_t dim, Handle* out, int32_t capacity) {
  return pieces(out, capacity, [&] { return t->unbind(dim); });
}
// As many rows as the tensor has dimensions: one list of indices for each.
ASRT_API int32_t asrt_where_indices(Handle t, Handle* out, int32_t capacity) {
  return pieces(out, capacity, [&] { return at::where(*t); });
}

// --- indexing -------------------------------------------------------------------------------------------------------
// kind: 0 none (a new axis), 1 one index, 2 ellipsis, 3 bool, 4 tensor, 5 slice. `given` bits: 1 start, 2 stop, 4 step.
struct Index {
  int64_t kind;
  int64_t given;
  int64_t start;
  int64_t stop;
  int64_t step;
  Handle tensor;
};

namespace {
std::vector<at::indexing::TensorIndex> indices(const Index* list, int32_t count) {
  using namespace at::indexing;
  std::vector<TensorIndex> result;
  result.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; i++) {
    const auto& x = list[i];
    switch (x.kind) {
      case 0: result.emplace_back(at::indexing::None); break;
      case 1: result.emplace_back(x.start); break;
      case 2: result.emplace_back("..."); break;
      case 3: result.emplace_back(x.start != 0); break;
      case 4: result.emplace_back(*x.tensor); break;
      case 5:
        result.emplace_back(Slice(maybe_int(x.start, (x.given & 1) != 0), maybe_int(x.stop, (x.given & 2) != 0),
                                  maybe_int(x.step, (x.given & 4) != 0)));
        break;
      default: throw std::invalid_argument("An index of an unknown kind.");
    }
  }
  return result;
}

c10::List<Optional<at::Tensor>> index_tensors(const Handle* list, int32_t count) {
  c10::List<Optional<at::Tensor>> result;
  result.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; i++) {
    result.push_back(list[i] == nullptr ? Optional<at::Tensor>() : Optional<at::Tensor>(*list[i]));
  }
  return result;
}
}  // namespace

ASRT_API Handle asrt_index(Handle t, const Index* list, int32_t count) {
  return guard([&] { return t->index(indices(list, count)); });
}
ASRT_API int32_t asrt_index_put_(Handle t, const Index* list, int32_t count, Handle value) {
  return attempt([&] { t->index_put_(indices(list, count), *value); });
}
ASRT_API int32_t asrt_index_put_scalar_(Handle t, const Index* list, int32_t count, Number value) {
  return attempt([&] { t->index_put_(indices(list, count), scalar(value)); });
}
ASRT_API int32_t asrt_index_put_tensors_(Handle t, const Handle* list, int32_t count, Handle value, int32_t accumulate) {
  return attempt([&] { t->index_put_(index_tensors(list, count), *value, accumulate != 0); });
}
ASRT_API Handle asrt_index_select(Handle t, int64_t dim, Handle index) {
  return guard([&] { return t->index_select(dim, *index); });
}
ASRT_API int32_t asrt_index_add_(Handle t, int64_t dim, Handle index, Handle source, Number alpha) {
  return attempt([&] { t->index_add_(dim, *index, *source, scalar(alpha)); });
}
ASRT_API int32_t asrt_index_copy_(Handle t, int64_t dim, Handle index, Handle source) {
  return attempt([&] { t->index_copy_(dim, *index, *source); });
}
ASRT_API int32_t asrt_index_fill_(Handle t, int64_t dim, Handle index, Number value) {
  return attempt([&] { t->index_fill_(dim, *index, scalar(value)); });
}
ASRT_API Handle asrt_gather(Handle t, int64_t dim, Handle index) {
  return guard([&] { return t->gather(dim, *index); });
}
ASRT_API Handle asrt_scatter(Handle t, int64_t dim, Handle index, Handle source) {
  return guard([&] { return t->scatter(dim, *index, *source); });
}
ASRT_API int32_t asrt_scatter_(Handle t, int64_t dim, Handle index, Handle source) {
  return attempt([&] { t->scatter_(dim, *index, *source); });
}
ASRT_API Handle asrt_scatter_add(Handle t, int64_t dim, Handle index, Handle source) {
  return guard([&] { return t->scatter_add(dim, *index, *source); });
}
ASRT_API int32_t asrt_scatter_add_(Handle t, int64_t dim, Handle index, Handle source) {
  return attempt([&] { t->scatter_add_(dim, *index, *source); });
}
ASRT_API Handle asrt_masked_fill(Handle t, Handle mask, Number value) {
  return guard([&] { return t->masked_fill(*mask, scalar(value)); });
}
ASRT_API int32_t asrt_masked_fill_(Handle t, Handle mask, Number value) {
  return attempt([&] { t->masked_fill_(*mask, scalar(value)); });
}
ASRT_API Handle asrt_masked_select(Handle t, Handle mask) {
  return guard([&] { return t->masked_select(*mask); });
}
ASRT_API Handle asrt_nonzero(Handle t) {
  return guard([&] { return t->nonzero(); });
}
ASRT_API Handle asrt_where(Handle condition, Handle x, Handle y) {
  return guard([&] { return at::where(*condition, *x, *y); });
}
ASRT_API Handle asrt_repeat_interleave(Handle t, int64_t repeats, int64_t dim, int32_t given) {
  return guard([&] { return t->repeat_interleave(repeats, maybe_int(dim, given != 0)); });
}
ASRT_API Handle asrt_tril(Handle t, int64_t diagonal) {
  return guard([&] { return t->tril(diagonal); });
}
ASRT_API Handle asrt_triu(Handle t, int64_t diagonal) {
  return guard([&] { return t->triu(diagonal); });
}
ASRT_API int32_t asrt_tril_(Handle t, int64_t diagonal) {
  return attempt([&] { t->tril_(diagonal); });
}
ASRT_API int32_t asrt_triu_(Handle t, int64_t diagonal) {
  return attempt([&] { t->triu_(diagonal); });
}
