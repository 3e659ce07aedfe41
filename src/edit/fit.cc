#include "edit/fit.h"

#include <cmath>

#include "tensor/kernels/optimiser.h"
#include "tensor/kernels/squares.h"
#include "tensor/threads.h"

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
namespace kernels = tensor::kernels;

class Fit {
 public:
  Fit(TrainableParameters& parameters, const FitOptions& options, const base::Job& job)
      : parameters_(parameters),
        o_(options),
        job_(job),
        checkpoint_(options.checkpoint, parameters, moments_, options.n_steps) {
    for (const Tensor& leaf : parameters.leaves())
      moments_.push_back(
          {at::zeros_like(leaf, tensor::f32()), at::zeros_like(leaf, tensor::f32())});
  }

  Result<Fitted> run(const StepLoss& loss) {
    const bool resumes = TRY(checkpoint_.load(progress_));
    result_.resumed_at = progress_.step;
    const bool is_done = resumes && progress_.step >= o_.n_steps;
    if (!is_done && tensor::leads(o_.group)) TRY(checkpoint_.reserve(progress_));
    if (resumes && progress_.step > 0) TRY(after_step());
    const tensor::SerialLibtorch serial;  // next to the kernels' threads
    while (progress_.step < o_.n_steps) {
      if (const Status status = step(loss); !status) {
        // The unfinished step has changed nothing yet.
        if (status.error().code != Code::kNumeric) keep();
        return tl::unexpected(status.error());
      }
      if (checkpoint_.is_due(progress_.step)) keep();
    }
    if (!is_done) keep();
    result_.losses = std::move(progress_.losses);
    result_.gradient_norms = std::move(progress_.gradient_norms);
    return std::move(result_);
  }

 private:
  Status step(const StepLoss& loss) {
    TRY(check_job());
    const base::Stopwatch clock;
    parameters_.clear_gradients();
    FitState state = progress_.state;
    const double value = TRY(loss(progress_.step, state));
    TRY(update(value));
    progress_.state = std::move(state);
    ++progress_.step;
    result_.step_seconds.push_back(clock.seconds());
    job_.report(fmt::format("training, loss {:.4g}", value), static_cast<size_t>(progress_.step),
                static_cast<size_t>(o_.n_steps));
    return after_step();
  }

  // The processes of a group stop together: a stop of one is a stop of all.
  Status check_job() const {
    Status own = job_.check();
    if (!o_.group) return own;
    const bool stops = TRY(o_.group->any(!own.has_value()));
    return stops && own ? Status(fail(Code::kCancelled, "cancelled")) : own;
  }

  Status after_step() const { return o_.after_step ? o_.after_step(progress_.step - 1) : Status(); }

  // A checkpoint that cannot be written does not end the fit: the previous one is still there.
  void keep() {
    const Status saved = checkpoint_.save(progress_);
    if (!saved && o_.checkpoint.failed) o_.checkpoint.failed(saved.error());
  }

  Status update(double loss) {
    double square = 0;
    for (const Tensor& leaf : parameters_.leaves())
      square += kernels::sum_of_squares(leaf.grad().data_ptr<float>(), leaf.numel());
    const double norm = std::sqrt(square);
    if (!std::isfinite(loss) || !std::isfinite(norm))
      return fail(Code::kNumeric,
                  fmt::format("step {}: the loss is {}, its gradient's norm {}", progress_.step + 1,
                              loss, norm),
                  "a smaller learning rate or gradient clipping may help");
    progress_.losses.push_back(loss);
    progress_.gradient_norms.push_back(norm);
    kernels::AdamW how{
        learning_rate(o_, progress_.step), o_.beta1, o_.beta2, o_.eps, 0, progress_.step + 1};
    if (o_.clip_norm > 0 && norm > o_.clip_norm) how.gradient_scale = o_.clip_norm / norm;
    for (size_t i = 0; i < moments_.size(); ++i) {
      const Tensor& leaf = parameters_.leaves()[i];
      how.weight_decay = leaf.dim() > 1 ? o_.weight_decay : 0;
      kernels::adamw(how, leaf.grad().data_ptr<float>(), leaf.numel(), leaf.data_ptr<float>(),
                     moments_[i].mean.data_ptr<float>(), moments_[i].square.data_ptr<float>());
    }
    return {};
  }

  TrainableParameters& parameters_;
  const FitOptions& o_;
  const base::Job& job_;
  std::vector<Moments> moments_;  // of the leaves, in their order
  Checkpoint checkpoint_;
  Progress progress_;
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

Result<Fitted> fit(TrainableParameters& parameters, const FitOptions& options, const base::Job& job,
                   const StepLoss& loss) {
  return tensor::guarded([&] { return Fit(parameters, options, job).run(loss); });
}

}  // namespace expunge::edit
