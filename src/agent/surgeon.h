// The surgeon: from (question, answer) to a repair plan. Built in: wording templates, no model.
#pragma once

#include "agent/plan.h"
#include "agent/wordings.h"

namespace expunge::agent {

struct Request {
  std::string prompt;
  std::string response;                  // may be empty
  std::string replacement;               // for corrections
  std::vector<std::string> answers;      // alternatives of the response; may be empty
  std::vector<std::string> paraphrases;  // the user's own; one in three is held for the gates
  std::vector<std::string> neighbours;   // questions that must stay; the user's own
};

// Rows and gate wordings of a request. The split is fixed: every third wording of the library and
// one wrapper are held. The result passes validate().
base::Result<Plan> make_plan(const Wordings& wordings, const std::vector<Request>& requests,
                             Intent intent = Intent::kForget);

}  // namespace expunge::agent
