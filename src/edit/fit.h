// The fit loop: AdamW steps on trainable parameters; the loss is the caller's.
//
// Parameters, moments and gradients are float32. A fit resumes from its checkpoint bit for bit,
// however it was ended.
#pragma once

#include <functional>

#include "base/job.h"
#include "edit/checkpoint.h"
#include "tensor/process_group.h"

namespace expunge::edit {

enum class Schedule { kConstant, kLinear };  // after the warm-up: constant, or down to 0 at the end

struct FitOptions {
  int64_t n_steps = 0;
  double lr = 1e-5;
  int64_t warmup_steps = 0;  // the rate rises linearly over them
  Schedule schedule = Schedule::kLinear;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;  // decoupled, of matrices only (Loshchilov and Hutter 2019, alg. 2)
  double clip_norm = 0;        // of the whole gradient; 0: none

  CheckpointOptions checkpoint = {};
  // Processes that fit the same parameters together: they stop together, and rank 0 alone writes.
  tensor::ProcessGroup* group = nullptr;
  // After each step, e.g. to evaluate; when a fit resumes, also after the last step of an
  // earlier run. An error ends the fit.
  std::function<base::Status(int64_t step)> after_step = {};
};

struct Fitted {
  std::vector<double> losses;          // one a step
  std::vector<double> gradient_norms;  // before clipping
  int64_t resumed_at = 0;              // steps that an earlier run had done
  std::vector<double> step_seconds;    // of the steps of this run
};

// What a step's loss remembers from step to step (a dual variable); kept in checkpoints.
using FitState = std::vector<double>;
// Adds the gradients of the step's loss to the leaves of the parameters -> the loss.
using StepLoss = std::function<base::Result<double>(int64_t step, FitState& state)>;

// However the fit ends, except by a value not finite, the steps done are in the checkpoint,
// which also stays after the last step: see remove_checkpoint(). Errors: kNumeric for a loss or
// gradient that is not finite, with step and number; kCancelled; kIo where the disk has no room for
// checkpoints; kConflict for a checkpoint of another identity; errors of `loss`.
base::Result<Fitted> fit(TrainableParameters& parameters, const FitOptions& options,
                         const base::Job& job, const StepLoss& loss);

// The learning rate of step 0, 1, ….
double learning_rate(const FitOptions& options, int64_t step);

}  // namespace expunge::edit
