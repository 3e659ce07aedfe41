// A gradient method: its objective over a training set, followed by the fit loop of edit.
#pragma once

#include "unlearn/method.h"

namespace expunge::unlearn {

// Trains what the knobs select -> the edit, its provenance with losses, steps and seconds.
base::Result<edit::Edit> train(const Objective& objective, const Problem& problem,
                               const Knobs& knobs, const base::Job& job);

// Whether it trains copies of all weights, so that the model's own are read for references alone.
bool trains_all(const Objective& objective, const Knobs& knobs);

// Learning instead: cross-entropy on the "forget" set. Not in the table of methods, since nothing
// is forgotten.
const Method& finetuning();

}  // namespace expunge::unlearn
