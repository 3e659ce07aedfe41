#include "service/planning.h"

#include "agent/endpoint.h"
#include "base/utf8.h"
#include "unlearn/method.h"
#include "verify/gate.h"

namespace expunge::service {

using base::check_text;
using base::Code;
using base::fail;
using base::Json;
using base::printable;
using base::Result;
using base::Status;

Result<std::pair<std::string, std::string>> parse_knob(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != text.npos && equals > 0)
    return std::pair{text.substr(0, equals), text.substr(equals + 1)};
  return fail(Code::kUsage, fmt::format("--knob '{}': expected NAME=VALUE", printable(text)),
              "'expunge methods' lists each method's knobs");
}

Status set_plan(agent::Plan& plan, const PlanOptions& o) {
  if (!o.method.empty()) plan.method = o.method;
  const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
  for (const std::string& text : o.knobs) {
    const auto [name, value] = TRY(parse_knob(text));
    plan.knobs[name] = TRY(unlearn::knob_value(*method, name, value));
  }
  if (o.rank) plan.knobs["rank"] = *o.rank;
  TRY(unlearn::complete(*method, plan.knobs));
  plan.gates = TRY(verify::complete_bounds(plan.gates));
  return {};
}

Result<agent::Plan> make_plan(Session& session, std::vector<agent::Request> requests,
                              agent::Intent intent, const PlanOptions& o, const base::Job& job) {
  agent::Plan plan;
  TRY(set_plan(plan, o));  // what is wrong with it is said before the model is asked
  if (o.surgeon.empty())
    plan = TRY(session.plan(std::move(requests), intent, job));
  else
    plan = TRY(agent::ask_surgeon(TRY(agent::endpoint_from_url(o.surgeon)), requests, intent, job));
  TRY(set_plan(plan, o));
  return plan;
}

Result<agent::Request> request_from_json(const Json& json, const std::string& where) {
  const auto bad = [&](std::string_view what) {
    return fail(Code::kInvalid, fmt::format("{}: {}", where, what),
                R"(a line is {"prompt": "…", "answer": "…", "paraphrases": ["…"]})");
  };
  if (!json.is_object()) return bad("expected an object");
  agent::Request r;
  for (const auto& [key, value] : json.items()) {
    std::string* text = key == "prompt"        ? &r.prompt
                        : key == "answer"      ? &r.response
                        : key == "replacement" ? &r.replacement
                                               : nullptr;
    std::vector<std::string>* list = key == "answers"       ? &r.answers
                                     : key == "paraphrases" ? &r.paraphrases
                                     : key == "neighbours"  ? &r.neighbours
                                                            : nullptr;
    if (!text && !list) return bad(fmt::format("no such field: {}", printable(key)));
    if (text) {
      if (!value.is_string()) return bad(key + " must be a text");
      *text = value.get<std::string>();
      continue;
    }
    if (!value.is_array()) return bad(key + " must be a list of texts");
    for (const Json& v : value) {
      if (!v.is_string() || v.get_ref<const std::string&>().empty())
        return bad(key + " must be a list of texts");
      list->push_back(v.get<std::string>());
    }
  }
  TRY_AT(where, check_text(r.prompt, "prompt"));
  if (r.response.empty() && !r.answers.empty()) r.response = r.answers.front();
  return r;
}

}  // namespace expunge::service
