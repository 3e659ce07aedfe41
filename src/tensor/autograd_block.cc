// The operations between the matrix products.
#include "tensor/autograd_parts.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/rope_norm.h"

namespace expunge::tensor {
namespace {

float* floats(const Tensor& t) { return t.data_ptr<float>(); }

struct RmsNorm : Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w, double eps) {
    const Tensor rows = x.contiguous(), y = at::empty_like(rows);
    kernels::rms_norm(floats(rows), floats(w), rows.size(0), rows.size(1), static_cast<float>(eps),
                      floats(y));
    context->save_for_backward({rows, w});
    context->saved_data["eps"] = eps;
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor x = saved[0].detach(), dy = grads[0].contiguous(), dx = at::empty_like(x);
    const Tensor& w = saved[1];
    kernels::rms_norm_backward(floats(x), floats(w), floats(dy), x.size(0), x.size(1),
                               static_cast<float>(context->saved_data["eps"].toDouble()),
                               floats(dx), w.requires_grad() ? floats(w.grad()) : nullptr);
    return {dx, Tensor(), Tensor()};
  }
};

struct SwiGlu : Function<SwiGlu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    const Tensor y = at::empty_like(gate);
    kernels::swiglu(floats(gate), floats(up), gate.numel(), floats(y));
    context->save_for_backward({gate, up});
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor gate = saved[0].detach(), up = saved[1].detach(), dy = grads[0].contiguous();
    const Tensor dgate = at::empty_like(gate), dup = at::empty_like(up);
    kernels::swiglu_backward(floats(gate), floats(up), floats(dy), gate.numel(), floats(dgate),
                             floats(dup));
    return {dgate, dup};
  }
};

struct Rope : Function<Rope> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const std::shared_ptr<const Rotation>& by) {
    context->saved_data["by"] = capsule(by);
    return rotated(x, *by, by->sin);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto& by = *in_capsule<std::shared_ptr<const Rotation>>(context->saved_data["by"]);
    return {rotated(grads[0], by, by.minus_sin), Tensor()};
  }
  static Tensor rotated(const Tensor& x, const Rotation& by, const Tensor& sin) {
    const Tensor y = x.clone(at::MemoryFormat::Contiguous);
    kernels::rope(floats(y), {y.size(0), y.size(1), y.size(2), 2 * sin.size(1)}, floats(by.cos),
                  floats(sin));
    return y;
  }
};

struct Attention : Function<Attention> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v,
                        const std::shared_ptr<const Paths>& paths, const Sight& sight) {
    CHECK(q.is_contiguous() && k.is_contiguous() && v.is_contiguous());
    const Tensor out = at::empty_like(q), lse = at::empty({q.size(0), q.size(1)}, f32());
    kernels::attention(looks(*paths, sight), floats(q), floats(k), floats(v), shape(q, k, sight),
                       floats(out), floats(lse));
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["paths"] = capsule(paths);
    context->saved_data["sight"] = capsule(sight);
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor q = saved[0].detach(), k = saved[1].detach(), v = saved[2].detach();
    const Tensor dout = grads[0].contiguous();
    const Tensor dq = at::empty_like(q), dk = at::empty_like(k), dv = at::empty_like(v);
    const auto& paths = *in_capsule<std::shared_ptr<const Paths>>(context->saved_data["paths"]);
    const auto& sight = in_capsule<Sight>(context->saved_data["sight"]);
    kernels::attention_backward(looks(paths, sight), floats(q), floats(k), floats(v),
                                shape(q, k, sight), floats(saved[3].detach()), floats(saved[4]),
                                floats(dout), k.size(0), {floats(dq), floats(dk), floats(dv)});
    return {dq, dk, dv, Tensor(), Tensor()};
  }
  // The owned rows of the paths in order see their path as far as themselves, within the window.
  static std::vector<kernels::AttentionRow> looks(const Paths& paths, const Sight& sight) {
    std::vector<kernels::AttentionRow> rows;
    for (size_t e = 0; e < paths.rows.size(); ++e) {
      const auto n = static_cast<int64_t>(paths.rows[e].size());
      for (int64_t t = n - paths.owned[e]; t < n; ++t)
        rows.push_back({paths.rows[e].data(), static_cast<int32_t>(t + 1),
                        static_cast<int32_t>(
                            sight.window > 0 ? std::max<int64_t>(0, t + 1 - sight.window) : 0)});
    }
    return rows;
  }
  static kernels::AttentionShape shape(const Tensor& q, const Tensor& k, const Sight& sight) {
    return {q.size(1), k.size(1), q.size(2), static_cast<float>(sight.scale)};
  }
};

struct Add : Function<Add> {
  static Tensor forward(AutogradContext*, const Tensor& a, const Tensor& b) {
    const Tensor y = at::empty_like(a);
    kernels::add(floats(a), floats(b), a.numel(), floats(y));
    return y;
  }
  static variable_list backward(AutogradContext*, variable_list grads) {
    return {grads[0], grads[0]};
  }
};

struct Recomputed : Function<Recomputed> {
  using F = std::function<Tensor(const Tensor&)>;
  // `always` needs a gradient: leaves that f sees may, if x does not.
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& /*always*/,
                        const F& f) {
    context->save_for_backward({x});
    context->saved_data["f"] = capsule(f);
    return f(x);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const c10::AutoGradMode on(true);
    Tensor x = context->get_saved_variables()[0].detach();
    x.requires_grad_(context->needs_input_grad(0));
    const Tensor y = in_capsule<F>(context->saved_data["f"])(x);
    if (y.requires_grad()) y.backward(grads[0]);
    return {x.grad(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& w, double eps) { return RmsNorm::apply(x, w, eps); }
Tensor swiglu(const Tensor& gate, const Tensor& up) { return SwiGlu::apply(gate, up); }
Tensor add(const Tensor& a, const Tensor& b) { return Add::apply(a, b); }
Tensor rope(const Tensor& x, const std::shared_ptr<const Rotation>& by) {
  return Rope::apply(x, by);
}
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 const std::shared_ptr<const Paths>& paths, const Sight& sight) {
  return Attention::apply(q, k, v, paths, sight);
}
Tensor recomputed(const Tensor& x, std::function<Tensor(const Tensor&)> f) {
  if (!c10::GradMode::is_enabled()) return f(x);
  return Recomputed::apply(x, at::empty({0}, f32()).requires_grad_(), f);
}

}  // namespace expunge::tensor
