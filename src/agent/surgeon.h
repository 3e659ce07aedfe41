// The built-in surgeon: from question and answer to a repair plan, by templates, without a model.
#pragma once

#include <span>

#include "agent/plan.h"
#include "agent/wordings.h"

namespace expunge::agent {

struct Request {
  std::string prompt;
  std::string response;                  // may be empty
  std::string replacement;               // for corrections
  std::vector<std::string> answers;      // alternatives of the response; may be empty
  std::vector<std::string> paraphrases;  // the user's own; every third is held for the gates
  std::vector<std::string> neighbours;   // questions that must stay; the user's own
};

// The bounds of requests, checked before any work: 1 to kMaxTargets of them, a question in each,
// texts of at most kMaxText bytes, lists of at most kMaxTexts, own wordings of at most half of
// that. Errors: kInvalid with the bound, what was got, and a hint.
base::Status check_requests(std::span<const Request> requests);

// Rows and gate wordings of a request. The split is fixed: every third wording of the library and
// one wrapper are held. The result passes validate(). Time linear in the requests' texts.
base::Result<Plan> make_plan(const Wordings& wordings, const std::vector<Request>& requests,
                             Intent intent = Intent::kForget);

}  // namespace expunge::agent
