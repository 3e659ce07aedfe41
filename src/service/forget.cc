#include "service/forget.h"

#include <algorithm>

#include "base/utf8.h"

namespace expunge::service {

using agent::Intent;
using base::Code;
using base::fail;
using base::Result;

namespace {

struct Understood {
  Intent intent = Intent::kForget;
  std::vector<agent::Request> requests;
  std::string question;
};

Result<Understood> understand(const Words& words, Session& session, const base::Job& job) {
  TRY(base::check_text(words.text, "the request"));
  TRY(agent::check_authority("please forget " + words.text));
  const IntentReader reader = TRY(IntentReader::make(words.watchdog, session));
  const text::Message message{"user", as_message(words.text)};
  const agent::Reading reading = TRY(reader.read({&message, 1}, job));
  if (!agent::edits(reading.intent))
    return fail(
        Code::kInvalid,
        fmt::format("'{}' is read as '{}', not as a request to forget or correct something",
                    words.text, agent::name(reading.intent)),
        "say what is to be forgotten, e.g. \"that the capital of France is Paris\", or give "
        "--prompt and --answer");
  // The command has said already that it is a request: likelier than not is sure enough.
  const double request = reading.probabilities[static_cast<size_t>(Intent::kForget)] +
                         reading.probabilities[static_cast<size_t>(Intent::kCorrect)];
  Understood understood{reading.intent, requests_of(reading),
                        request >= 0.5 ? "" : reading.question};
  if (understood.requests.empty() || understood.requests.front().prompt.empty())
    return fail(Code::kInvalid,
                fmt::format("'{}' does not say what is to be forgotten", words.text),
                "e.g. expunge forget \"that the capital of France is Paris\", or --prompt and "
                "--answer");
  return understood;
}

}  // namespace

Result<Planned> plan_wish(Session& session, Wish wish, const PlanOptions& options,
                          const base::Job& job) {
  Planned planned;
  if (auto* plan = std::get_if<agent::Plan>(&wish)) {
    TRY(set_plan(*plan, options));
    planned.plans.push_back(std::move(*plan));
    return planned;  // who writes a plan knows what is in it
  }
  if (const auto* words = std::get_if<Words>(&wish)) {
    Understood u = TRY(understand(*words, session, job));
    planned.plans.push_back(TRY(make_plan(session, std::move(u.requests), u.intent, options, job)));
    planned.question = std::move(u.question);
  } else {
    for (agent::Request& r : std::get<std::vector<agent::Request>>(wish))
      planned.plans.push_back(
          TRY(make_plan(session, {std::move(r)}, Intent::kForget, options, job)));
  }
  if (planned.question.empty() && !std::ranges::all_of(planned.plans, agent::has_evidence))
    planned.question =
        "There are too few other wordings and neighbouring questions to tell whether it works. Go "
        "on all the same?";
  return planned;
}

Result<Heard> hear(Session& session, const IntentReader& reader, const std::string& sentence,
                   const base::Job& job) {
  const text::Message message{"user", sentence};
  Heard heard;
  base::Stopwatch clock;
  heard.reading = TRY(reader.read({&message, 1}, job));
  heard.seconds["watchdog"] = clock.seconds();
  if (heard.reading.intent != Intent::kForget || heard.reading.targets.empty()) return heard;
  clock = {};
  heard.plan = TRY(session.plan(requests_of(heard.reading), Intent::kForget, job));
  heard.seconds["plan"] = clock.seconds();
  return heard;
}

}  // namespace expunge::service
