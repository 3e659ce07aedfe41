// What an ended fit resumes from: the trained values, their moments and its progress, in one
// safetensors file that is always complete.
//
// Disk space for it is reserved before the first step. The checkpoint of a finished fit has the
// values alone; it stays until the owner of the result removes it.
#pragma once

#include <functional>
#include <optional>

#include "base/files.h"
#include "base/run.h"
#include "edit/trainable_parameters.h"

namespace expunge::edit {

struct CheckpointOptions {
  std::string path = {};      // "": none is written
  std::string identity = {};  // a checkpoint with another identity is refused
  int64_t every_steps = 0;    // 0: by the clock, so that they take some 2 % of the time
  // A checkpoint could not be written; the fit continues, and the last good one is still there.
  std::function<void(const base::Error& error)> failed = {};
};

// The moments of a leaf's gradient.
struct Moments {
  Tensor mean, square;
};

// Everything except the tensors.
struct Progress {
  int64_t step = 0;            // steps done
  std::vector<double> losses;  // one a step
  std::vector<double> gradient_norms;
  std::vector<double> state;  // what the loss remembers from step to step
};

class Checkpoint {
 public:
  // Reads nothing and reserves nothing. `n_steps` of the whole fit bounds the size of the file.
  Checkpoint(const CheckpointOptions& options, const TrainableParameters& parameters,
             std::vector<Moments>& moments, int64_t n_steps);

  // Fills leaves, moments and progress from the file; false if there is none. Errors: kConflict for
  // a file of another identity, kCorrupt.
  base::Result<bool> load(Progress& progress) const;
  // Reserves the space of this file and its successor. Errors: kIo with what is needed.
  base::Status reserve(const Progress& progress);
  // Writes what load() reads. Errors: kIo; the last good file is still there.
  base::Status save(const Progress& progress);
  // Whether a checkpoint is due after `step` steps.
  bool is_due(int64_t step) const;

 private:
  template <class F>
  void each_tensor(const F& f) const;
  struct Image;
  Image image(const Progress& progress) const;

  const CheckpointOptions& options_;
  const TrainableParameters& parameters_;
  std::vector<Moments>& moments_;
  int64_t n_steps_;
  std::optional<base::TwinFile> file_;
  base::Stopwatch since_last_;
  double interval_s_ = 0;
};

// The checkpoint and what was reserved for the next one.
void remove_checkpoint(const std::string& path);

}  // namespace expunge::edit
