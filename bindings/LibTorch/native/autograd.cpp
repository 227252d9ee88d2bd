// Gradients and the switches that govern them.
#include "shim.h"

#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>

ASRT_API int32_t asrt_set_requires_grad(Handle t, int32_t on) {
  return attempt([&] { t->set_requires_grad(on != 0); });
}
ASRT_API int32_t asrt_retain_grad(Handle t) {
  return attempt([&] { t->retain_grad(); });
}
// Null without an error when there is no gradient.
ASRT_API Handle asrt_grad(Handle t, int32_t* status) {
  Handle result = nullptr;
  *status = attempt([&] {
    const auto& gradient = t->grad();
    if (gradient.defined()) result = new at::Tensor(gradient);
  });
  return result;
}
ASRT_API int32_t asrt_set_grad(Handle t, Handle gradient) {
  return attempt([&] { t->mutable_grad() = gradient == nullptr ? at::Tensor() : *gradient; });
}
ASRT_API Handle asrt_detach(Handle t) {
  return guard([&] { return t->detach(); });
}
ASRT_API int32_t asrt_detach_(Handle t) {
  return attempt([&] { t->detach_(); });
}

ASRT_API int32_t asrt_backward(const Handle* outputs, int32_t count, const Handle* gradients, int32_t gradient_count,
                               int32_t retain_graph, int32_t create_graph, const Handle* inputs, int32_t input_count) {
  return attempt([&] {
    torch::autograd::backward(tensors(outputs, count), tensors(gradients, gradient_count),
                              Optional<bool>(retain_graph != 0), create_graph != 0, tensors(inputs, input_count));
  });
}

// One handle for each input, null where it was not used.
ASRT_API int32_t asrt_autograd_grad(const Handle* outputs, int32_t count, const Handle* inputs, int32_t input_count,
                                    const Handle* gradients, int32_t gradient_count, int32_t retain_graph,
                                    int32_t create_graph, int32_t allow_unused, Handle* out) {
  return attempt([&] {
    const auto result = torch::autograd::grad(tensors(outputs, count), tensors(inputs, input_count),
                                              tensors(gradients, gradient_count), Optional<bool>(retain_graph != 0),
                                              create_graph != 0, allow_unused != 0);
    for (size_t i = 0; i < result.size(); i++) {
      out[i] = result[i].defined() ? new at::Tensor(result[i]) : nullptr;
    }
  });
}

ASRT_API int32_t asrt_grad_enabled() { return c10::GradMode::is_enabled(); }
ASRT_API void asrt_set_grad_enabled(int32_t on) { c10::GradMode::set_enabled(on != 0); }

ASRT_API int32_t asrt_inference_mode_enabled() { return c10::InferenceMode::is_enabled(); }
// The guard belongs to the thread that made it: free it there, last made first.
ASRT_API c10::InferenceMode* asrt_inference_mode_enter(int32_t on) { return new c10::InferenceMode(on != 0); }
ASRT_API void asrt_inference_mode_leave(c10::InferenceMode* guard) { delete guard; }
