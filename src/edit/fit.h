// The fit loop: AdamW steps on what is trained, with a loss that somebody else knows.
//
// Weights, moments and gradients are float32. A fit that is cancelled leaves a checkpoint and goes
// on from it bit for bit.
#pragma once

#include <functional>

#include "base/run.h"
#include "edit/trained.h"

namespace expunge::edit {

enum class Schedule { kConstant, kLinear };  // after the warm-up: as it is, or down to 0 at the end

struct FitOptions {
  int64_t n_steps = 0;
  double lr = 1e-5;
  int64_t warmup_steps = 0;  // the rate rises linearly over them
  Schedule schedule = Schedule::kLinear;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;  // decoupled, of matrices only (Loshchilov and Hutter 2019, alg. 2)
  double clip_norm = 0;        // of the whole gradient; 0: none

  std::string checkpoint = {};   // file; "" = none is kept
  std::string identity = {};     // what must be the same for a checkpoint to be gone on from
  int64_t checkpoint_steps = 0;  // between two checkpoints; 0: only when cancelled
  bool keeps_checkpoint = true;  // false: only read, as by the others of a group
  // Whether to stop; asked once a step.
  std::function<base::Result<bool>()> cancelled = [] {
    return base::Result<bool>(base::cancel_requested());
  };
  base::Progress progress = {};
  // After each step, e.g. to evaluate; an error ends the fit.
  std::function<base::Status(int64_t step)> after_step = {};
};

struct Fitted {
  std::vector<double> losses;          // one a step
  std::vector<double> gradient_norms;  // before clipping
  int64_t resumed_at = 0;              // steps that an earlier run had done
  std::vector<double> step_seconds;    // of the steps of this run
};

// What a step's loss needs to remember from step to step (a dual variable); kept in checkpoints.
using FitState = std::vector<double>;
// Adds the gradients of the step's loss to the leaves of `trained` -> the loss.
using StepLoss = std::function<base::Result<double>(int64_t step, FitState& state)>;

// Errors: kNumeric for a loss or gradient that is not finite, with step and number; kCancelled;
// kConflict for a checkpoint of another identity; what `loss` says.
base::Result<Fitted> fit(Trained& trained, const FitOptions& options, const StepLoss& loss);

// The learning rate of step 0, 1, ….
double learning_rate(const FitOptions& options, int64_t step);

}  // namespace expunge::edit
