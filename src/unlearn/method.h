// What an unlearning method is: a pure function from a problem to an edit.
//
// A method is one file in methods/ that defines `extern const Method method_<stem>`: a closed form
// that proposes an edit from activations, or an objective that a training follows. It never sees
// its judge (verify) and never writes a weight.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/job.h"
#include "edit/edit.h"
#include "tensor/process_group.h"
#include "text/qa_set.h"
#include "unlearn/capture.h"
#include "unlearn/knob.h"
#include "unlearn/objective.h"
#include "unlearn/preparation.h"

namespace expunge::unlearn {

// MLP inputs at a layer, rows ordered as in the problem.
struct States {
  int64_t layer = 0;
  Tensor forget, retain;  // [n,D]
  Tensor held = {};       // [n,D]; undefined where there are none
};

// What gradient methods learn from: prompts with answers.
struct TrainingSet {
  std::vector<model::Example> forget, retain;
  // For each forget example, answers to give instead; one is used per epoch.
  std::vector<std::vector<model::Example>> refusals = {};
  // For methods that query the model: the words of forget, and the ids of a conversation
  // that consists of one message, up to where the model speaks.
  std::vector<text::QaItem> words = {};
  std::function<base::Result<std::vector<int32_t>>(const std::string& message)> encode = {};
};
// How a training is observed and saved. All may be empty.
struct TrainingRun {
  std::map<std::string, edit::LowRank> adapters = {};  // to go on from; empty: random ones
  edit::CheckpointOptions checkpoint = {};
  tensor::ProcessGroup* group = nullptr;  // processes that share the examples of each step
  // Before the first step, e.g. to reserve the disk space of the result.
  std::function<base::Status(const edit::TrainableParameters& parameters)> before = {};
  // After each epoch (from 1), e.g. to evaluate what was learnt so far.
  std::function<base::Status(int64_t epoch, const edit::TrainableParameters& trained)> after_epoch =
      {};
  std::function<void(const edit::Fitted& fitted)> done = {};
};

struct Problem {
  const model::Model& model;            // with the active edits applied
  std::vector<TokenSpan> forget = {};   // tokens at which the answer is about to be given
  std::vector<TokenSpan> retain = {};   // tokens at which nothing may change
  std::vector<TokenSpan> refusal = {};  // reference prompts that are answered by "I don't know"
  std::vector<TokenSpan> held = {};     // further tokens like forget's, to choose an edit by
  uint64_t seed = 0;
  PreparedPtr prepared = {};  // what the method learned of the model, if it has a preparation
  // The prompts of PreparationInputs that ask about what is to be forgotten.
  std::vector<int64_t> related = {};
  std::vector<edit::Occupied> occupied = {};  // by active edits
  // Captured once by a caller that proposes often; else by the method.
  std::optional<States> states = std::nullopt;
  const TrainingSet* training = nullptr;  // gradient methods need it and use no rows
  TrainingRun run = {};
};
// The problem's inputs if they are of this layer, else captured ones.
base::Result<States> states_at(const Problem& problem, int64_t layer);

// A setting to try after the defaults failed: each change sets its knob, or multiplies it.
struct KnobChange {
  enum class How { kSet, kTimes };
  std::string_view knob;
  How how;
  double value;
};
using Step = std::vector<KnobChange>;

// What a method needs.
enum class Needs {
  kRetain,
  kRefusal,
  kPreparation,
  kExamples,  // this and the following: of the training set
  kRetainExamples,
  kRefusalExamples,
  kWords
};

struct ClosedForm {
  std::vector<Needs> rows;         // in addition to forget rows
  std::vector<model::Role> roles;  // whose weights it may change
  base::Result<edit::Edit> (*propose)(const Problem& problem, const Knobs& knobs,
                                      const base::Job& job);
};

struct Method {
  std::string_view name;
  std::string_view citation;  // paper and equation
  std::vector<Knob> knobs;
  std::variant<ClosedForm, Objective> how;
  std::vector<Step> stronger = {}, milder = {};  // in order: when it leaks, when it harms
  std::optional<Preparation> preparation = std::nullopt;

  const Objective* objective() const { return std::get_if<Objective>(&how); }
};

std::vector<const Method*> methods();
base::Result<const Method*> find_method(std::string_view name);
std::vector<Needs> needs(const Method& method);
// A knob's value from its text: a number, or the name of a choice.
base::Result<double> knob_value(const Method& method, std::string_view name, std::string_view text);
// Every knob of the method, defaults filled in. Errors name an unknown knob or one out of range.
base::Result<Knobs> complete(const Method& method, const Knobs& given);
// The knobs after a step, within their ranges.
Knobs after(const Method& method, Knobs knobs, const Step& step);

// What the method learned of the model, or null if it has no preparation; see prepare().
base::Result<PreparedPtr> prepare(const Method& method, const model::Model& model,
                                  const PreparationSource& source, const base::Job& job);
// The same for a request that wants another answer in the place of the old one.
base::Result<PreparedPtr> with_answer(const Method& method, const model::Model& model,
                                      const PreparedPtr& prepared,
                                      const std::vector<Lesson>& lessons, uint64_t seed,
                                      const base::Job& job);
// The lowest layer that an edit by the method changes; 1 if it may be any, since what enters
// layer 1 is stored.
int64_t first_layer(const PreparedPtr& prepared);

// Checks needs and knobs, then proposes.
base::Result<edit::Edit> propose(const Method& method, const Problem& problem, const Knobs& given,
                                 const base::Job& job = {});

}  // namespace expunge::unlearn
