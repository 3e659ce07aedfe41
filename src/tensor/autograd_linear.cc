// The operations with weights: products, embedding and head.
#include "tensor/autograd_parts.h"
#include "tensor/kernels/product.h"
#include "tensor/kernels/softmax_stats.h"

namespace expunge::tensor {
namespace {

kernels::Matrix matrix(const Tensor& t) { return {t.data_ptr<float>(), t.stride(0)}; }

using kernels::Form;
using kernels::Into;

// y [n,I] (+)= dy [n,O] w.
void times_into(const Tensor& dy, const Tensor& w, Into into, Tensor& y) {
  kernels::product(Form::kNN, {dy.size(0), w.size(1), w.size(0)}, matrix(dy), matrix(w), into,
                   y.data_ptr<float>(), y.stride(0));
}
// g (+)= dyᵀ x.
void gradient_into(const Tensor& dy, const Tensor& x, Into into, Tensor& g) {
  kernels::product(Form::kTN, {dy.size(1), x.size(1), dy.size(0)}, matrix(dy), matrix(x), into,
                   g.data_ptr<float>(), g.stride(0));
}
void add_gradient(const Tensor& w, const Tensor& dy, const Tensor& x) {
  gradient_into(dy, x, Into::kAdd, w.mutable_grad());
}

// float32 values, made only if they are not there.
Tensor values_of(const StoredMatrix& m) {
  if (m.dtype != DType::kF32) return dequantised(m);
  auto* data = const_cast<std::byte*>(m.bytes.data());
  return at::from_blob(data, {m.rows, m.columns}, f32());
}

struct Linear : Function<Linear> {
  using Factor = std::optional<Tensor>;
  // The weight is w, which may be trained, or the frozen matrix.
  static Tensor forward(AutogradContext* context, const Tensor& x, const Factor& w,
                        const StoredMatrix& frozen, const Factor& a, const Factor& b,
                        const Factor& a0, const Factor& b0, double scale, const GradientUse& use) {
    const Tensor rows = x.contiguous();
    const Tensor y = times_transposed(rows, w ? stored(w->detach()) : frozen);
    Tensor inner;  // [n,R]
    if (a) inner = add_low_rank(rows, *a, *b, scale, y);
    if (a0) add_low_rank(rows, *a0, *b0, -scale, y);
    const auto or_none = [](const Factor& f) { return f.value_or(Tensor()); };
    context->save_for_backward(
        {rows, or_none(w), or_none(a), or_none(b), or_none(a0), or_none(b0), inner});
    context->saved_data["scale"] = scale;
    context->saved_data["use"] = capsule(use);
    context->saved_data["frozen"] = capsule(frozen);
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const Tensor x = saved[0].detach(), dy = grads[0].contiguous();
    const Tensor &w = saved[1], &a = saved[2], &b = saved[3], &a0 = saved[4], &b0 = saved[5];
    const double scale = context->saved_data["scale"].toDouble();
    if (const auto& use = in_capsule<GradientUse>(context->saved_data["use"])) {
      Tensor dw = at::empty_like(w.detach());
      gradient_into(dy, x, Into::kReplace, dw);
      use(dw);
    } else if (w.defined() && w.requires_grad()) {
      add_gradient(w, dy, x);
    }
    const bool needed = context->needs_input_grad(0);
    Tensor dx = needed ? at::empty_like(x) : Tensor();
    if (needed)
      times_into(dy,
                 w.defined() ? w.detach()
                             : values_of(in_capsule<StoredMatrix>(context->saved_data["frozen"])),
                 Into::kReplace, dx);
    if (a.defined()) {
      if (b.requires_grad()) add_gradient(b, dy, saved[6]);
      const Tensor dinner = through(dy, b, scale);
      if (a.requires_grad()) add_gradient(a, dinner, x);
      if (needed) times_into(dinner, a.detach(), Into::kAdd, dx);
    }
    if (a0.defined() && needed) times_into(through(dy, b0, -scale), a0, Into::kAdd, dx);
    return {dx, {}, {}, {}, {}, {}, {}, {}, {}};
  }
  // y += scale x aᵀ bᵀ -> scale x aᵀ.
  static Tensor add_low_rank(const Tensor& x, const Tensor& a, const Tensor& b, double scale,
                             const Tensor& y) {
    Tensor inner = times_transposed(x, stored(a.detach())).mul_(scale);
    kernels::product(Form::kNT, {y.size(0), y.size(1), inner.size(1)}, matrix(inner), matrix(b),
                     Into::kAdd, y.data_ptr<float>(), y.stride(0));
    return inner;
  }
  static Tensor through(const Tensor& dy, const Tensor& b, double scale) {  // scale dy b
    Tensor d = at::empty({dy.size(0), b.size(1)}, f32());
    times_into(dy, b.detach(), Into::kReplace, d);
    return d.mul_(scale);
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

Tensor logits_of(const Tensor& hidden, const Head& head, int64_t begin) {
  Tensor y = times_transposed(hidden.narrow(0, begin, std::min(kHeadRows, hidden.size(0) - begin)),
                              head.weight.defined() ? stored(head.weight.detach()) : head.frozen);
  if (head.bias.defined()) y.add_(head.bias.detach());
  if (head.cap > 0) at::tanh_(y.div_(head.cap)).mul_(head.cap);
  return y;
}

// dhidden [n,D] += dlogits [n,V] weight, a piece of a large weight in blocks at a time.
void through_head(const Tensor& dlogits, const Head& head, Tensor& dhidden) {
  if (head.weight.defined()) return times_into(dlogits, head.weight.detach(), Into::kAdd, dhidden);
  if (head.frozen.dtype == DType::kF32)
    return times_into(dlogits, values_of(head.frozen), Into::kAdd, dhidden);
  for_each_piece(head.frozen, [&](int64_t first, const Tensor& piece) {
    times_into(dlogits.narrow(1, first, piece.size(0)), piece, Into::kAdd, dhidden);
  });
}

struct HeadRows : Function<HeadRows> {
  using Maybe = std::optional<Tensor>;
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Maybe& weight,
                        const Maybe& bias, const StoredMatrix& frozen, double cap,
                        const RowFunction& function) {
    CHECK(hidden.is_contiguous());
    const Head head{weight.value_or(Tensor()), bias.value_or(Tensor()), frozen, cap};
    context->save_for_backward({hidden, head.weight, head.bias});
    context->saved_data["function"] = capsule(function);
    context->saved_data["cap"] = cap;
    context->saved_data["frozen"] = capsule(frozen);
    std::vector<Tensor> values;
    for (int64_t at = 0; at < hidden.size(0); at += kHeadRows)
      values.push_back(function.value(logits_of(hidden, head, at), at));
    return values.empty() ? at::empty({0}, hidden.options()) : at::cat(values);
  }
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const auto& function = in_capsule<RowFunction>(context->saved_data["function"]);
    const Tensor hidden = saved[0].detach();
    const Head head{saved[1], saved[2], in_capsule<StoredMatrix>(context->saved_data["frozen"]),
                    context->saved_data["cap"].toDouble()};
    const bool needed = context->needs_input_grad(0);
    const Tensor dhidden = needed ? at::zeros_like(hidden) : Tensor();
    for (int64_t at = 0; at < hidden.size(0); at += kHeadRows) {
      const Tensor dlogits = logit_gradient(function, hidden, head, at, grads[0]);
      const int64_t n = dlogits.size(0);
      if (head.weight.requires_grad()) add_gradient(head.weight, dlogits, hidden.narrow(0, at, n));
      if (head.bias.defined() && head.bias.requires_grad())
        head.bias.mutable_grad().add_(dlogits.sum(0));
      if (needed) {
        Tensor part = dhidden.narrow(0, at, n);
        through_head(dlogits, head, part);
      }
    }
    return {dhidden, {}, {}, {}, {}, {}};
  }
  // Of the rows from `at` on, before the cap.
  static Tensor logit_gradient(const RowFunction& function, const Tensor& hidden, const Head& head,
                               int64_t at, const Tensor& grad) {
    Tensor logits = logits_of(hidden, head, at);
    const Tensor dvalue = grad.narrow(0, at, logits.size(0));
    const Tensor slope = head.cap > 0 ? 1 - (logits / head.cap).square() : Tensor();
    if (function.gradient) {
      function.gradient(logits, at, dvalue);
    } else {
      const c10::AutoGradMode on(true);
      logits.requires_grad_();
      function.value(logits, at).backward(dvalue);
      logits = logits.grad().contiguous();
    }
    return slope.defined() ? logits.mul_(slope) : logits;
  }
};

}  // namespace

void train(Tensor& w) {
  w.requires_grad_();
  w.mutable_grad() = at::zeros_like(w);
}

namespace {

Linear::Factor factor(const Tensor& t) { return t.defined() ? Linear::Factor(t) : std::nullopt; }

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const LowRankChange& c, const GradientUse& use) {
  return Linear::apply(x, Linear::Factor(w), StoredMatrix{}, factor(c.a), factor(c.b), factor(c.a0),
                       factor(c.b0), c.scale, use);
}
Tensor linear(const Tensor& x, const StoredMatrix& w, const LowRankChange& c) {
  return Linear::apply(x, Linear::Factor(), w, factor(c.a), factor(c.b), factor(c.a0), factor(c.b0),
                       c.scale, GradientUse{});
}
Tensor embedding(const Tensor& ids, const Tensor& w) { return Embedding::apply(ids, w); }

Tensor head_rows(const Tensor& hidden, const Head& head, RowFunction function) {
  return HeadRows::apply(hidden, factor(head.weight), factor(head.bias), head.frozen, head.cap,
                         function);
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

void backward(const Tensor& loss) { loss.backward(); }

}  // namespace expunge::tensor
