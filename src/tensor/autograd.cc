#include "tensor/autograd.h"

#include "tensor/kernels/gemm.h"
#include "tensor/kernels/product.h"
#include "tensor/kernels/softmax_stats.h"

#pragma push_macro("CHECK")
#undef CHECK
#include <ATen/ops/gather.h>
#include <ATen/ops/rms_norm.h>
#include <torch/csrc/autograd/custom_function.h>
#undef CHECK
#pragma pop_macro("CHECK")

namespace expunge::tensor {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

kernels::Matrix matrix(const Tensor& t) { return {t.data_ptr<float>(), t.stride(0)}; }

// x [n,I] wᵀ, w [O,I].
Tensor times_transposed(const Tensor& x, const Tensor& w) {
  Tensor y = at::empty({x.size(0), w.size(0)}, f32());  // [n,O]
  if (y.numel() > 0)
    kernels::gemm(DType::kF32, reinterpret_cast<const std::byte*>(w.data_ptr<float>()),
                  x.data_ptr<float>(), x.size(0), x.size(1), w.size(0), y.data_ptr<float>());
  return y;
}
// y [n,I] = dy [n,O] w.
void times_into(const Tensor& dy, const Tensor& w, Tensor& y) {
  kernels::product(kernels::Form::kNN, {dy.size(0), w.size(1), w.size(0)}, matrix(dy), matrix(w),
                   kernels::Into::kReplace, y.data_ptr<float>(), y.stride(0));
}
// w.grad() += dyᵀ x.
void add_gradient(const Tensor& w, const Tensor& dy, const Tensor& x) {
  Tensor& g = w.mutable_grad();
  kernels::product(kernels::Form::kTN, {dy.size(1), x.size(1), dy.size(0)}, matrix(dy), matrix(x),
                   kernels::Into::kAdd, g.data_ptr<float>(), g.stride(0));
}

struct Linear : Function<Linear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w) {
    const Tensor rows = x.contiguous();
    context->save_for_backward({rows, w});
    return times_transposed(rows, w);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor x = saved[0].detach(), dy = grads[0].contiguous();
    const Tensor& w = saved[1];
    if (w.requires_grad()) add_gradient(w, dy, x);
    if (!context->needs_input_grad(0)) return {Tensor(), Tensor()};
    Tensor dx = at::empty_like(x);
    times_into(dy, w.detach(), dx);
    return {dx, Tensor()};
  }
};

struct Embedding : Function<Embedding> {
  static Tensor forward(AutogradContext* context, const Tensor& ids, const Tensor& w) {
    context->save_for_backward({ids, w});
    return w.index_select(0, ids);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    saved[1].mutable_grad().index_add_(0, saved[0], grads[0]);
    return {Tensor(), Tensor()};
  }
};

struct RmsNorm : Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w, double eps) {
    context->save_for_backward({x, w});
    context->saved_data["eps"] = eps;
    return at::rms_norm(x, {x.size(-1)}, w, eps);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor x = saved[0].detach(), w = saved[1].detach(), &dy = grads[0];
    const double eps = context->saved_data["eps"].toDouble();
    const Tensor inverse = at::rsqrt(x.square().mean(-1, /*keepdim=*/true) + eps);  // [n,1]
    const Tensor normed = x * inverse, dw = dy * normed, dn = dy * w;
    if (saved[1].requires_grad()) saved[1].mutable_grad().add_(dw.sum(0));
    const Tensor dx = (dn - normed * (dn * normed).mean(-1, /*keepdim=*/true)) * inverse;
    return {dx, Tensor(), Tensor()};
  }
};

struct SwiGlu : Function<SwiGlu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return at::silu(gate).mul_(up);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor gate = saved[0].detach(), up = saved[1].detach(), &dy = grads[0];
    const Tensor sigmoid = at::sigmoid(gate), silu = gate * sigmoid;
    return {dy * up * (sigmoid + silu * (1 - sigmoid)), dy * silu};
  }
};

// What a node of the graph keeps that is no tensor.
template <class T>
struct Kept : torch::CustomClassHolder {
  explicit Kept(T v) : value(std::move(v)) {}
  T value;
};
template <class T>
c10::IValue keep(T value) {
  return c10::IValue::make_capsule(c10::make_intrusive<Kept<T>>(std::move(value)));
}
template <class T>
const T& kept(const c10::IValue& value) {
  return static_cast<const Kept<T>*>(value.toCapsule().get())->value;
}

Tensor logits_of(const Tensor& hidden, const Tensor& head, int64_t begin) {
  return times_transposed(hidden.narrow(0, begin, std::min(kHeadRows, hidden.size(0) - begin)),
                          head);
}

struct HeadRows : Function<HeadRows> {
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& head,
                        const RowFunction& function) {
    CHECK(hidden.is_contiguous());
    context->save_for_backward({hidden, head});
    context->saved_data["function"] = keep(function);
    std::vector<Tensor> values;
    for (int64_t at = 0; at < hidden.size(0); at += kHeadRows)
      values.push_back(function.value(logits_of(hidden, head, at), at));
    return values.empty() ? at::empty({0}, hidden.options()) : at::cat(values);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto& function = kept<RowFunction>(context->saved_data["function"]);
    const Tensor hidden = saved[0].detach(), head = saved[1].detach();
    const bool trained = saved[1].requires_grad(), needed = context->needs_input_grad(0);
    const Tensor dhidden = needed ? at::empty_like(hidden) : Tensor();
    for (int64_t at = 0; at < hidden.size(0); at += kHeadRows) {
      Tensor logits = logits_of(hidden, head, at);
      const int64_t n = logits.size(0);
      const Tensor dvalue = grads[0].narrow(0, at, n);
      if (function.gradient) {
        function.gradient(logits, at, dvalue);
      } else {
        const c10::AutoGradMode on(true);
        logits.requires_grad_();
        function.value(logits, at).backward(dvalue);
        logits = logits.grad().contiguous();
      }
      if (trained) add_gradient(saved[1], logits, hidden.narrow(0, at, n));
      if (needed) {
        Tensor part = dhidden.narrow(0, at, n);
        times_into(logits, head, part);
      }
    }
    return {dhidden, Tensor(), Tensor()};
  }
};

}  // namespace

void train(Tensor& w) {
  w.requires_grad_();
  w.mutable_grad() = at::zeros_like(w);
}

Tensor linear(const Tensor& x, const Tensor& w) { return Linear::apply(x, w); }
Tensor embedding(const Tensor& ids, const Tensor& w) { return Embedding::apply(ids, w); }
Tensor rms_norm(const Tensor& x, const Tensor& w, double eps) { return RmsNorm::apply(x, w, eps); }
Tensor swiglu(const Tensor& gate, const Tensor& up) { return SwiGlu::apply(gate, up); }

Tensor head_rows(const Tensor& hidden, const Tensor& head, RowFunction function) {
  return HeadRows::apply(hidden, head, function);
}

RowFunction log_prob(Tensor targets) {
  return {[targets](const Tensor& logits, int64_t begin) {
            const Tensor own = targets.narrow(0, begin, logits.size(0));
            std::vector<kernels::SoftmaxStats> stats(static_cast<size_t>(logits.size(0)));
            const int64_t vocab = logits.size(1);
            const float* values = logits.data_ptr<float>();
            kernels::softmax_stats(values, logits.size(0), vocab, stats.data());
            Tensor log_probs = at::empty({logits.size(0)}, f32());
            for (int64_t r = 0; r < logits.size(0); ++r)
              log_probs.data_ptr<float>()[r] = static_cast<float>(
                  static_cast<double>(values[r * vocab + own.data_ptr<int64_t>()[r]]) -
                  stats[static_cast<size_t>(r)].log_norm);
            return log_probs;
          },
          [targets](Tensor& logits, int64_t begin, const Tensor& dvalue) {
            kernels::log_prob_gradient(logits.data_ptr<float>(), logits.size(0), logits.size(1),
                                       targets.data_ptr<int64_t>() + begin,
                                       dvalue.contiguous().data_ptr<float>());
          }};
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 std::shared_ptr<const Paths> paths, double scale) {
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (size_t e = 0; e < paths->rows.size(); ++e) {
    const int64_t owned = paths->owned[e];
    if (owned == 0) continue;
    const Tensor path = from_ids(paths->rows[e]);  // [T]
    const int64_t n = path.size(0);
    const Tensor seen = at::ones({owned, n}, at::kBool).tril(n - owned);
    const auto heads = [](const Tensor& t) { return t.transpose(0, 1).unsqueeze(0); };  // [1,n,T,K]
    parts.push_back(at::scaled_dot_product_attention(
                        heads(q.narrow(0, begin, owned)), heads(k.index_select(0, path)),
                        heads(v.index_select(0, path)), seen, 0.0, /*is_causal=*/false, scale,
                        /*enable_gqa=*/true)
                        .squeeze(0)
                        .transpose(0, 1));  // [owned,N,K]
    begin += owned;
  }
  return at::cat(parts);
}

void backward(const Tensor& loss) { loss.backward(); }

}  // namespace expunge::tensor
