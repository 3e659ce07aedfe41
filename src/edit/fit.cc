#include "edit/fit.h"

#include <unistd.h>

#include <cmath>

#include "base/files.h"
#include "tensor/kernels/optimiser.h"
#include "tensor/kernels/squares.h"
#include "tensor/tensor_map.h"
#include "tensor/threads.h"

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
namespace kernels = tensor::kernels;

constexpr const char* kFormat = "expunge-fit-1";

class Fit {
 public:
  Fit(Trained& trained, const FitOptions& options) : trained_(trained), o_(options) {
    for (const Tensor& leaf : trained.leaves())
      moments_.push_back(
          {at::zeros_like(leaf, tensor::f32()), at::zeros_like(leaf, tensor::f32())});
  }

  Result<Fitted> run(const StepLoss& loss) {
    TRY(load());
    const tensor::SerialLibtorch serial;  // beside the kernels' threads
    for (; step_ < o_.n_steps; ++step_) {
      if (TRY(o_.cancelled())) {
        TRY(save());
        return fail(Code::kCancelled, "cancelled");
      }
      const base::Stopwatch clock;
      trained_.clear_gradients();
      FitState state = state_;
      auto value = loss(step_, state);
      if (!value) {
        // A step that was broken off leaves the state of the step before it.
        if (value.error().code == Code::kCancelled) TRY(save());
        return tl::unexpected(std::move(value.error()));
      }
      TRY(update(*value));
      state_ = std::move(state);
      result_.step_seconds.push_back(clock.seconds());
      if (o_.progress)
        o_.progress(fmt::format("training, loss {:.4g}", *value), static_cast<size_t>(step_ + 1),
                    static_cast<size_t>(o_.n_steps));
      if (o_.after_step) TRY(o_.after_step(step_));
      if (o_.checkpoint_steps > 0 && (step_ + 1) % o_.checkpoint_steps == 0 &&
          step_ + 1 < o_.n_steps) {
        ++step_;
        TRY(save());
        --step_;
      }
    }
    if (!o_.checkpoint.empty() && o_.keeps_checkpoint) ::unlink(o_.checkpoint.c_str());
    return std::move(result_);
  }

 private:
  struct Moments {
    Tensor mean, square;  // of the gradient
  };

  Status update(double loss) {
    double square = 0;
    for (const Tensor& leaf : trained_.leaves())
      square += kernels::sum_of_squares(leaf.grad().data_ptr<float>(), leaf.numel());
    const double norm = std::sqrt(square);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      return fail(
          Code::kNumeric,
          fmt::format("step {}: the loss is {}, its gradient's norm {}", step_ + 1, loss, norm),
          "a smaller learning rate or gradient clipping may help");
    result_.losses.push_back(loss);
    result_.gradient_norms.push_back(norm);
    kernels::AdamW how{learning_rate(o_, step_), o_.beta1, o_.beta2, o_.eps, 0, step_ + 1};
    if (o_.clip_norm > 0 && norm > o_.clip_norm) how.gradient_scale = o_.clip_norm / norm;
    for (size_t i = 0; i < moments_.size(); ++i) {
      const Tensor& leaf = trained_.leaves()[i];
      how.weight_decay = leaf.dim() > 1 ? o_.weight_decay : 0;
      kernels::adamw(how, leaf.grad().data_ptr<float>(), leaf.numel(), leaf.data_ptr<float>(),
                     moments_[i].mean.data_ptr<float>(), moments_[i].square.data_ptr<float>());
    }
    return {};
  }

  template <class F>
  void each_tensor(const F& f) {
    for (size_t i = 0; i < moments_.size(); ++i) {
      f(fmt::format("{}.value", i), trained_.leaves()[i]);
      f(fmt::format("{}.mean", i), moments_[i].mean);
      f(fmt::format("{}.square", i), moments_[i].square);
    }
  }

  Status save() {
    if (o_.checkpoint.empty() || !o_.keeps_checkpoint) return {};
    tensor::TensorMap tensors;
    each_tensor([&](std::string name, const Tensor& t) { tensors[std::move(name)] = t.detach(); });
    const base::Json progress = {{"step", step_},
                                 {"losses", result_.losses},
                                 {"gradient_norms", result_.gradient_norms},
                                 {"state", state_}};
    return tensor::write_image(
        o_.checkpoint, tensors,
        {{"format", kFormat}, {"identity", o_.identity}, {"progress", progress.dump()}});
  }

  Status load() {
    if (o_.checkpoint.empty() || ::access(o_.checkpoint.c_str(), F_OK) != 0) return {};
    const std::string hint = "remove it to begin again";
    auto image = TRY_AT(o_.checkpoint, tensor::map_image(o_.checkpoint));
    const auto text = [&](const char* key) {
      return image.metadata.is_object() ? image.metadata.value(key, std::string()) : std::string();
    };
    if (text("format") != kFormat)
      return fail(Code::kCorrupt, o_.checkpoint + " is no checkpoint of a fit", hint);
    if (text("identity") != o_.identity)
      return fail(Code::kConflict, o_.checkpoint + " is the checkpoint of another training", hint);
    const base::Json progress = TRY(base::parse_json(text("progress"), o_.checkpoint));
    try {
      step_ = progress.at("step").get<int64_t>();
      result_.losses = progress.at("losses").get<std::vector<double>>();
      result_.gradient_norms = progress.at("gradient_norms").get<std::vector<double>>();
      state_ = progress.at("state").get<FitState>();
    } catch (const nlohmann::json::exception&) {
      return fail(Code::kCorrupt, o_.checkpoint + " does not say how far it came", hint);
    }
    const c10::NoGradGuard no_grad;
    Status status;
    each_tensor([&](const std::string& name, const Tensor& t) {
      const auto it = image.tensors.find(name);
      if (it != image.tensors.end() && it->second.sizes() == t.sizes())
        t.copy_(it->second);
      else
        status = fail(Code::kCorrupt, fmt::format("{} lacks {}", o_.checkpoint, name), hint);
    });
    result_.resumed_at = step_;
    return status;
  }

  Trained& trained_;
  const FitOptions& o_;
  std::vector<Moments> moments_;  // of the leaves, in their order
  int64_t step_ = 0;
  FitState state_;
  Fitted result_;
};

}  // namespace

double learning_rate(const FitOptions& o, int64_t step) {
  if (step < o.warmup_steps)
    return o.lr * static_cast<double>(step + 1) / static_cast<double>(o.warmup_steps);
  if (o.schedule == Schedule::kConstant) return o.lr;
  return o.lr * static_cast<double>(o.n_steps - step) /
         static_cast<double>(std::max<int64_t>(1, o.n_steps - o.warmup_steps));
}

Result<Fitted> fit(Trained& trained, const FitOptions& options, const StepLoss& loss) {
  return tensor::guarded([&] { return Fit(trained, options).run(loss); });
}

}  // namespace expunge::edit
