// From requests and what a surgeon wrote about them to a repair plan.
#pragma once

#include <span>

#include "agent/plan.h"
#include "agent/surgeon/material.h"
#include "agent/wordings.h"

namespace expunge::agent {

struct Request {
  std::string prompt;
  std::string response = {};                  // may be empty
  std::string replacement = {};               // for corrections
  std::vector<std::string> answers = {};      // alternatives of the response; may be empty
  std::vector<std::string> paraphrases = {};  // the user's own; every third is held for the gates
  std::vector<std::string> neighbours = {};   // questions that must stay; the user's own
  bool topic = false;                         // all that is known about something goes
};

// The bounds of requests, checked before any work: 1 to kMaxTargets of them, a question in each,
// texts of at most kMaxText bytes, lists of at most kMaxTexts, own wordings of at most half of
// that. Errors: kInvalid with the bound, what was got, and a hint.
base::Status check_requests(std::span<const Request> requests);

// Rows and gate wordings of the requests, of each with its material. The split is fixed: every
// third wording (of less than six every second), one as it is typed and one wrapped form are held.
// The result passes validate().
base::Result<Plan> make_plan(const Wordings& wordings, std::span<const Request> requests,
                             std::span<const Material> materials, Intent intent = Intent::kForget);
// Whether the gates will have questions enough to speak for themselves: of each target three held
// wordings and a neighbour. Without them nothing is edited unless the user is asked.
bool has_evidence(const Plan& plan);

}  // namespace expunge::agent
