// The repair plan: what is to be forgotten, how it is asked, and when the edit counts as good.
//
// Typed, bounded and validated; docs/plan.schema.json is the same as JSON Schema. A surgeon hands
// over nothing else: no generated code ever runs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/authority.h"
#include "base/json.h"

namespace expunge::agent {

// Bounds of a plan and of the requests for it. Texts are counted in bytes of UTF-8; a row's prompt
// may contain a whole question and more.
constexpr size_t kMaxText = 2000, kMaxRow = 3000, kMaxTargets = 32, kMaxTexts = 128, kMaxKnobs = 32;

// A prompt and, where the assistant's answer is begun for it, that beginning.
struct Wording {
  std::string prompt;
  std::string prefill = {};  // "" for an ordinary question
};

struct Target {
  std::string prompt = {};                // the question the model is asked
  std::string response = {};              // the answer to be forgotten; "" = ask the model itself
  std::string replacement = {};           // for corrections; "" otherwise
  std::string subject = {};               // what the question is about; "" if unknown
  std::vector<std::string> answers = {};  // strings that reveal it; from the response
  std::vector<Wording> rows = {};         // wordings the edit learns from
  std::vector<Wording> held = {};         // wordings kept out of the rows, for the gates
  std::vector<std::string> same_subject = {};  // other questions about the subject
  std::vector<std::string> neighbours = {};    // the same question about other subjects
};

enum class Intent { kForget, kCorrect, kUndo, kStatus, kNone };
std::string_view name(Intent intent);
std::optional<Intent> intent_from_name(std::string_view name);

struct Plan {
  Intent intent = Intent::kForget;
  std::vector<Target> targets;
  std::string method = "redirect";
  std::map<std::string, double, std::less<>> knobs;  // of the method; absent = its default
  // Bounds by gate name; absent = the gate's own. Whoever knows the gates checks names and ranges.
  std::map<std::string, double, std::less<>> gates;
  std::string reason;
};

base::Json to_json(const Plan& plan);
// Errors name the field as a JSON pointer with what was got and what is expected. Unknown fields
// are refused, and so are requests to forget everything or safety behaviour (kRefused).
base::Result<Plan> plan_from_json(const base::Json& json);
// The bounds and the refusals of a plan from any source.
base::Status validate(const Plan& plan);

}  // namespace expunge::agent
