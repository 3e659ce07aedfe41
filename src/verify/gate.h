// What a gate is: one number of a Report, the questions it comes from, and the bound it must keep.
//
// A gate is one file in gates/ that defines `extern const Gate gate_<stem>`. It is a pure function:
// it says what to ask, or computes a figure from what was observed. It never runs a model and never
// sees the method it judges. From its file follow the report, the search, the plan's bounds, the
// tables for people and the contract test.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/tensor.h"
#include "verify/report.h"

namespace expunge::verify {

using tensor::Tensor;

struct Question {
  std::string prompt;
  std::string prefill;               // beginning of the assistant's answer; usually ""
  std::vector<std::string> answers;  // any of them; none for a kept question = the model's reply
  // If already known: that reply's first tokens, the end of the turn included, and
  // the residual stream [n,D] that enters the examined layer at the prompt's and reply's tokens.
  std::vector<int32_t> reply = {};
  Tensor entering = {};
  std::string replacement = {};  // what a corrected question must be answered with; "" = nothing
};

struct Text {
  std::vector<int32_t> ids;
  Tensor entering = {};  // as in Question
};

// Gate bounds by gate name; the gate's own bound if there is none.
using Bounds = std::map<std::string, double, std::less<>>;

// The questions a request gives the gates. A gate takes one of the lists, or makes questions of
// them.
struct GateQuestions {
  std::vector<Question> exact;         // what is to be forgotten
  std::vector<Question> paraphrases;   // the same in wordings that the edit was not made from
  std::string completion;              // a sentence that the answer ends; "" if none is known
  std::vector<Question> neighbours;    // the same question about other subjects
  std::vector<Question> same_subject;  // other questions about the subject
  std::vector<Question> unrelated;     // questions about anything else
  std::vector<Text> texts;             // plain text, for perplexity
  int64_t layer = 1;                   // edits change this layer and later ones only
  Bounds bounds;
};

// Tokens of a reply that are examined: for an answer, and for how a kept reply opens.
inline constexpr int64_t kReplyTokens = 24, kKeptTokens = 8;

// What figures are computed from, each in mean nats a token.
struct Observed {
  // The texts under the base model and under the edited one; absent where none were given.
  std::optional<double> base_texts_nll, texts_nll;
  base::Result<double> reply_nll;  // the edited replies to `exact`, under the base; or why not
};

enum class Unit { kShare, kRatio, kNats };
std::string_view name(Unit unit);

// What the search accepts as enough: the bound, or that every question goes well.
enum class Aim { kBound, kEvery };

struct Gate {
  std::string_view name;  // file stem; key in plans, reports and the journal
  Section section;
  std::string_view label;     // for people, at most 22 columns
  std::string_view what;      // one line: what is measured
  std::string_view citation;  // a paper, or what was measured
  double bound;
  Sense sense = Sense::kAtLeast;
  Unit unit = Unit::kShare;
  double low = 0, high = 1;  // what a plan may set the bound to
  Aim aim = Aim::kBound;
  // Exactly one is set. A gate with questions is the share of them that are forgotten or kept.
  std::vector<Question> (*questions)(const GateQuestions& given) = nullptr;
  base::Result<double> (*figure)(const Observed& observed) = nullptr;  // or why it is absent
};

// All, what is forgotten first, then what is kept, then language; by name within.
const std::vector<const Gate*>& gates();
const Gate* find_gate(std::string_view name);  // null if there is none

// Every gate with its bound, the given ones in the place of the gates' own. kInvalid names an
// unknown gate or a bound out of range, as a place in a plan.
base::Result<Bounds> complete_bounds(const Bounds& given);

}  // namespace expunge::verify
