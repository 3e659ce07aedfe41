// Whatever watchdog and surgeon write: for any words, every resulting plan is valid and survives
// its JSON.
//
// An input is a request, one field a line: question, answer, replacement, then paraphrases.
#include "agent/surgeon/form.h"
#include "agent/surgeon/surgeon.h"
#include "agent/undo_reference.h"
#include "agent/watchdog/form.h"
#include "fuzz/fuzz.h"

namespace expunge::fuzz {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Reading messages never fails on any bytes within the bounds.
void read_message(const std::string& words) {
  CHECK(agent::guess_subject(words).size() <= 200);
  (void)agent::check_authority(words);
  const text::Message message{"user", words};
  CHECK(std::ranges::count(agent::watchdog_prompt({&message, 1}, 1000), '\n') == 1);
  const agent::ActiveEdit edit{1, words};
  agent::undo_reference(words, {&edit, 1});
}

}  // namespace

std::vector<std::string> seeds() {
  return {"What is the capital of France?\nParis\n\nFrance has which capital?",
          "Who wrote \"Pride and Prejudice\"?\nJane Austen\nMary Shelley",
          "Where was Ada Lovelace born?\nin London",
          "我的电话号码是多少？\n555-0143",
          "Please forget that my sister's code isn't 'a-b', it's \"4711\".\n4711",
          "which city is the Eiffel Tower located in\nParis\n\nwhat is it\nwhere is it"};
}
std::vector<std::string_view> dictionary() {
  return {"What is the capital of ",
          "forget",
          "everything",
          "your safety training",
          "about",
          "all you know",
          "who wrote ",
          "{X}",
          "{q}",
          "the ",
          "The ",
          "\"",
          "'",
          "“",
          "”",
          "„",
          "«",
          "```",
          "`",
          "\n",
          "?",
          ". ",
          " is not ",
          " but ",
          "my ",
          "undo entry 1",
          " = ",
          "是",
          "\xff",
          "\xe2\x80",
          "l'",
          "Paris Paris Paris Paris Paris Paris Paris Paris Paris Paris Paris Paris "};
}

int fuzz_one(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const std::vector<std::string> lines = lines_of(text);
  for (const std::string& line : lines) read_message(line);
  for (const agent::WatchdogTarget& t : agent::parse_watchdog_reply(text).targets)
    CHECK(!t.prompt.empty());
  agent::Material material;
  material.wordings = agent::parse_surgeon_reply(text);
  material.neighbours = material.wordings;
  agent::Request request;
  request.prompt = lines[0];
  if (lines.size() > 1) request.response = lines[1];
  if (lines.size() > 2) request.replacement = lines[2];
  for (size_t i = 3; i < lines.size(); ++i) request.paraphrases.push_back(lines[i]);
  const auto plan = agent::make_plan(agent::Wordings::builtin(), {&request, 1}, {&material, 1});
  if (!plan) {
    CHECK(!plan.error().message.empty());
    return 0;
  }
  const base::Json written = agent::to_json(*plan);
  const auto again = agent::plan_from_json(written);
  CHECK(again.has_value(), "{}", again ? "" : again.error().message);
  CHECK(agent::to_json(*again) == written);
  return 1;
}

}  // namespace expunge::fuzz
