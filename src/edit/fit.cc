#include "edit/fit.h"

#include <unistd.h>

#include <cmath>

#include "base/files.h"
#include "tensor/tensor_map.h"

#pragma push_macro("CHECK")
#undef CHECK
#include <ATen/ops/_fused_adamw.h>
#undef CHECK
#pragma pop_macro("CHECK")

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

constexpr const char* kFormat = "expunge-fit-1";

class Fit {
 public:
  Fit(Trained& trained, const FitOptions& options) : trained_(trained), o_(options) {
    for (const Tensor& leaf : trained.leaves()) {
      Group& group = leaf.dim() > 1 ? decayed_ : plain_;
      group.leaves.push_back(leaf);
      group.mean.push_back(at::zeros_like(leaf, at::MemoryFormat::Contiguous));
      group.square.push_back(at::zeros_like(leaf, at::MemoryFormat::Contiguous));
      group.steps.push_back(at::zeros({}, tensor::f32()));
    }
  }

  Result<Fitted> run(const StepLoss& loss) {
    const base::Stopwatch clock;
    TRY(load());
    for (; step_ < o_.n_steps; ++step_) {
      if (base::cancel_requested()) {
        TRY(save());
        TRY(base::check_cancel());
      }
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
    if (!o_.checkpoint.empty()) ::unlink(o_.checkpoint.c_str());
    result_.seconds = clock.seconds();
    return std::move(result_);
  }

 private:
  struct Group {
    std::vector<Tensor> leaves, mean, square, steps;
    std::vector<Tensor> gradients() const {
      std::vector<Tensor> all;
      for (const Tensor& leaf : leaves) all.push_back(leaf.grad());
      return all;
    }
  };

  Status update(double loss) {
    double square = 0;
    for (const Group* group : {&decayed_, &plain_})
      for (const Tensor& g : group->gradients())
        square += std::pow(at::linalg_vector_norm(g).item<double>(), 2);
    const double norm = std::sqrt(square);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      return fail(
          Code::kNumeric,
          fmt::format("step {}: the loss is {}, its gradient's norm {}", step_ + 1, loss, norm),
          "a smaller learning rate or gradient clipping may help");
    result_.losses.push_back(loss);
    result_.gradient_norms.push_back(norm);
    const c10::NoGradGuard no_grad;
    if (o_.clip_norm > 0 && norm > o_.clip_norm)
      for (const Group* group : {&decayed_, &plain_})
        for (const Tensor& g : group->gradients()) g.mul_(o_.clip_norm / norm);
    const double lr = learning_rate(o_, step_);
    advance(decayed_, lr, o_.weight_decay);
    advance(plain_, lr, 0);
    return {};
  }

  void advance(Group& group, double lr, double decay) const {
    if (group.leaves.empty()) return;
    for (Tensor& s : group.steps) s.add_(1);
    at::_fused_adamw_(group.leaves, group.gradients(), group.mean, group.square, {}, group.steps,
                      lr, o_.beta1, o_.beta2, decay, o_.eps, /*amsgrad=*/false,
                      /*maximize=*/false);
  }

  template <class F>
  void each_tensor(const F& f) {
    for (auto [group, label] : {std::pair(&decayed_, "matrix"), std::pair(&plain_, "vector")})
      for (size_t i = 0; i < group->leaves.size(); ++i) {
        f(fmt::format("{}.{}.value", label, i), group->leaves[i]);
        f(fmt::format("{}.{}.mean", label, i), group->mean[i]);
        f(fmt::format("{}.{}.square", label, i), group->square[i]);
      }
  }

  Status save() {
    if (o_.checkpoint.empty()) return {};
    tensor::TensorMap tensors;
    each_tensor([&](std::string name, const Tensor& t) { tensors[std::move(name)] = t.detach(); });
    const base::Json progress = {{"step", step_},
                                 {"losses", result_.losses},
                                 {"gradient_norms", result_.gradient_norms},
                                 {"state", state_}};
    return base::write_file_atomic(o_.checkpoint,
                                   tensor::image(tensors, {{"format", kFormat},
                                                           {"identity", o_.identity},
                                                           {"progress", progress.dump()}}));
  }

  Status load() {
    if (o_.checkpoint.empty() || ::access(o_.checkpoint.c_str(), F_OK) != 0) return {};
    const std::string hint = "remove it to begin again";
    auto image = TRY_AT(o_.checkpoint, tensor::read_image(TRY(base::read_file(o_.checkpoint))));
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
    for (Group* group : {&decayed_, &plain_})
      for (Tensor& s : group->steps) s.fill_(step_);
    result_.resumed_at = step_;
    return status;
  }

  Trained& trained_;
  const FitOptions& o_;
  Group decayed_, plain_;
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
