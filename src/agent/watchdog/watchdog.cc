#include "agent/watchdog/watchdog.h"

#include <algorithm>

#include "agent/watchdog/form.h"

namespace expunge::agent {

using base::Code;
using base::fail;
using base::Result;

namespace {

// Bytes of a prompt: a token has one or more.
size_t most_bytes(const LanguageModel& model) {
  constexpr size_t kReply = 512, kFrame = 64;  // tokens
  return std::max<size_t>(model.context(), 2 * (kReply + kFrame)) - kReply - kFrame;
}

std::string question_for(const Reading& v) {
  std::string list;
  for (const WatchdogTarget& t : v.targets)
    list += (list.empty() ? "\"" : ", \"") + t.prompt + "\"";
  return fmt::format("Do you want me to {} the answer to {}?", name(v.intent), list);
}

}  // namespace

base::Status check_dialogue(std::span<const text::Message> dialogue) {
  if (dialogue.empty() || dialogue.back().role != "user")
    return fail(Code::kInvalid, "the watchdog needs a dialogue that ends with the user's message");
  if (const size_t size = dialogue.back().content.size(); size > kMaxMessage)
    return fail(Code::kInvalid,
                fmt::format("the message has {} bytes, at most {} are read", size, kMaxMessage),
                "send it in parts");
  return {};
}

Result<Reading> read_dialogue(const LanguageModel& model, std::span<const text::Message> dialogue,
                              const base::Job& job) {
  TRY(check_dialogue(dialogue));
  if (single_spaced(dialogue.back().content).empty()) return Reading{.confidence = 1};
  const std::string prompt = watchdog_prompt(dialogue, most_bytes(model));
  WatchdogGrammar grammar(prompt);
  const LanguageModel::Order order{.grammar = &grammar, .max_new_tokens = 512};
  const std::string reply = TRY(model.write(prompt, {&order, 1}, job))[0];
  WatchdogReply parsed = parse_watchdog_reply(reply);
  Reading v{.intent = parsed.intent,
            .probabilities = grammar.probabilities(),
            .targets = std::move(parsed.targets)};
  v.confidence = v.probabilities[static_cast<size_t>(v.intent)];
  if (edits(v.intent) && !v.sure())
    v.question = v.targets.empty() ? "What exactly should I forget?" : question_for(v);
  return v;
}

Result<std::string> answer_in(const LanguageModel& model, const std::string& question,
                              const std::string& reply, const base::Job& job) {
  if (single_spaced(reply).empty()) return std::string();
  const text::Message turns[] = {
      {"user", question}, {"assistant", reply}, {"user", "Forget that."}};
  const std::string prompt = watchdog_prompt(turns, most_bytes(model));
  WatchdogGrammar grammar(prompt);
  const LanguageModel::Order order{.begun = fmt::format("forget\nQ {}\nA", single_spaced(question)),
                                   .grammar = &grammar,
                                   .max_new_tokens = 64};
  const std::string written = TRY(model.write(prompt, {&order, 1}, job))[0];
  const WatchdogReply parsed = parse_watchdog_reply(written);
  if (!parsed.targets.empty() && !parsed.targets[0].response.empty())
    return parsed.targets[0].response;
  return single_spaced(reply.substr(0, reply.find_first_of(".\n")));
}

}  // namespace expunge::agent
