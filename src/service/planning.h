// From a request to a plan: what the user sets of it, and the contents of a file of requests.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "service/session.h"

namespace expunge::service {

// "name=value" of --knob.
base::Result<std::pair<std::string, std::string>> parse_knob(const std::string& text);

// --method, --knob, --rank: what the user sets of a plan.
struct PlanOptions {
  std::string method, surgeon;
  std::vector<std::string> knobs;  // name=value
  std::optional<double> rank;
};
// Errors: an unknown method, an unknown knob or one out of its range.
base::Status set_plan(agent::Plan& plan, const PlanOptions& options);
// The plan of the built-in surgeon, or of the endpoint that --surgeon names; then set_plan.
base::Result<agent::Plan> make_plan(Session& session, std::vector<agent::Request> requests,
                                    agent::Intent intent, const PlanOptions& options,
                                    const base::Job& job = {});

// {prompt, answer | answers, paraphrases?, neighbours?, replacement?} of a line of --from.
base::Result<agent::Request> request_from_json(const base::Json& json, const std::string& where);

}  // namespace expunge::service
