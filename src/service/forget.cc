#include "service/forget.h"

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

Result<Understood> understand(const Words& words, const Session& session, const base::Job& job) {
  TRY(base::check_text(words.text, "the request"));
  TRY(agent::check_authority("please forget " + words.text));
  const model::ChatModel model = session.present();
  const IntentReader reader = TRY(IntentReader::make(words.watchdog, model, job));
  const text::Message message{"user", as_message(words.text)};
  const agent::Reading reading = TRY(reader.read({&message, 1}, job));
  const bool edits = reading.intent == Intent::kForget || reading.intent == Intent::kCorrect;
  // The intent to forget is known already; only the target is open.
  Understood understood{edits ? reading.intent : Intent::kForget, requests_of(reading),
                        reading.question};
  if (!edits)
    for (const auto& t : agent::find_targets({&message, 1}, Intent::kForget))
      understood.requests.push_back({t.prompt, t.response, t.replacement, {}, {}, {}});
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
  } else if (const auto* words = std::get_if<Words>(&wish)) {
    Understood u = TRY(understand(*words, session, job));
    planned.plans.push_back(TRY(make_plan(session, std::move(u.requests), u.intent, options, job)));
    planned.question = std::move(u.question);
  } else {
    for (agent::Request& r : std::get<std::vector<agent::Request>>(wish))
      planned.plans.push_back(
          TRY(make_plan(session, {std::move(r)}, Intent::kForget, options, job)));
  }
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
