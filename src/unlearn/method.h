// What an unlearning method is: a pure function from a problem to an edit.
//
// A method is one file in methods/ that defines `extern const Method method_<stem>`. It never sees
// its judge (verify) and never writes a weight.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/run.h"
#include "edit/edit.h"
#include "tensor/group.h"
#include "unlearn/background.h"
#include "unlearn/capture.h"
#include "unlearn/knob.h"
#include "unlearn/objective.h"

namespace expunge::unlearn {

// Activations at the MLP input of the background's layer, rows in the order of the problem's.
struct States {
  Tensor forget, retain;  // [n,D]
  Tensor held = {};  // [n,D], further wordings of what is to be forgotten, kept out of the rows
};

// What gradient methods learn from: prompts with answers.
struct TrainingSet {
  std::vector<model::Example> forget, retain;
  // For each of forget, answers that say one does not know; one is taken an epoch.
  std::vector<std::vector<model::Example>> refusals = {};
};
// How a training is watched and kept. All may be empty.
struct TrainingRun {
  edit::CheckpointOptions checkpoint = {};
  tensor::Group* group = nullptr;  // processes that share the examples of each step
  // Before the first step, e.g. to hold the disk space of the result.
  std::function<base::Status(const edit::TrainableParameters& parameters)> before = {};
  // After each epoch (from 1), e.g. to evaluate what was learnt so far.
  std::function<base::Status(int64_t epoch, const edit::TrainableParameters& trained)> after_epoch =
      {};
  std::function<void(const edit::Fitted& fitted)> done = {};
};

struct Problem {
  const model::Model& model;  // with the active edits applied
  std::vector<Row> forget;    // tokens at which the answer is about to be given
  std::vector<Row> retain;    // tokens at which nothing may change
  std::vector<Row> refusal;   // reference prompts that are answered by "I don't know"
  const Background* background = nullptr;
  std::vector<int64_t> excluded;  // rows of the background pool that belong to the request
  std::vector<int64_t> taken;     // neurons of the background's layer that active edits occupy
  uint64_t seed = 0;
  std::optional<States> states =
      std::nullopt;  // captured once by whoever proposes often; else by the method
  const TrainingSet* training = nullptr;  // gradient methods need it and use no rows
  TrainingRun run = {};
};
base::Result<States> capture_states(const Problem& problem);

// A setting to try after the defaults failed: each change sets its knob, or multiplies it.
struct KnobChange {
  enum class How { kSet, kTimes };
  std::string_view knob;
  How how;
  double value;
};
using Step = std::vector<KnobChange>;

// The layers whose weights the method may change.
enum class Reach { kBackgroundLayer, kAnyLayer };

// kExamples and after: of the training set, by methods with an objective.
enum class Needs { kRetain, kRefusal, kBackground, kExamples, kRetainExamples, kRefusalExamples };

struct Method {
  std::string_view name;
  std::string_view citation;  // paper and equation
  std::vector<Needs> needs;
  std::vector<Knob> knobs;
  Reach reach;
  std::vector<Step> stronger, milder;  // in order: when it leaks, when it harms what is kept
  // A closed form proposes; a gradient method has an objective that train() follows.
  base::Result<edit::Edit> (*propose)(const Problem& problem, const Knobs& knobs);
  const Objective* objective = nullptr;
};

std::vector<const Method*> methods();
base::Result<const Method*> find_method(std::string_view name);
// A knob's value from its text: a number, or the name of a choice.
base::Result<double> knob_value(const Method& method, std::string_view name, std::string_view text);
// Every knob of the method, defaults filled in. Errors name an unknown knob or one out of range.
base::Result<Knobs> complete(const Method& method, const Knobs& given);
// The knobs after a step, within their ranges.
Knobs after(const Method& method, Knobs knobs, const Step& step);
// Checks needs and knobs, then proposes.
base::Result<edit::Edit> propose(const Method& method, const Problem& problem, const Knobs& given,
                                 const base::Job& job = {});

}  // namespace expunge::unlearn
