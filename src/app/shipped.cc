#include "app/shipped.h"

#include "agent/plan.h"
#include "model/generate.h"
#include "model/patient.h"
#include "verify/gates.h"

namespace expunge::app {

using base::Json;
using base::Result;

namespace {

struct Asked {
  size_t entry;  // index in Shipped::entries
  std::string prompt;
  std::vector<std::string> answers;
};

}  // namespace

Result<Shipped> ask_shipped(const std::string& path, const journal::Journal& journal) {
  Shipped shipped;
  std::vector<Asked> questions;
  std::vector<agent::Wording> wordings;
  for (const journal::Entry& e : TRY(journal.active())) {
    if (e.sealed) {
      ++shipped.sealed;
      continue;
    }
    const agent::Plan plan =
        TRY_AT(fmt::format("plan of entry {}", e.id), agent::plan_from_json(e.plan));
    shipped.entries.push_back({e.id, 0, 0, {}});
    for (const agent::Target& t : plan.targets) {
      std::vector<agent::Wording> all = t.held;
      all.insert(all.begin(), {t.prompt, ""});
      for (agent::Wording& w : all) {
        questions.push_back({shipped.entries.size() - 1, w.prompt, t.answers});
        wordings.push_back(std::move(w));
      }
    }
  }
  if (questions.empty()) return shipped;
  const model::Patient patient = TRY_AT("the written model", model::load_patient(path));
  std::vector<std::vector<int32_t>> ids;
  for (const agent::Wording& w : wordings) {
    const text::Message message{"user", w.prompt};
    ids.push_back(TRY(patient.encode({&message, 1}, w.prefill)));
  }
  model::GenerateOptions options;
  options.max_new_tokens = verify::kReplyTokens;
  const auto replies = TRY(model::generate(*patient.model, ids, options));
  for (size_t i = 0; i < questions.size(); ++i) {
    ShippedEntry& entry = shipped.entries[questions[i].entry];
    const std::string reply = TRY(patient.tokenizer.decode(replies[i].ids));
    const bool leaks = verify::reveals(reply, questions[i].answers);
    ++entry.asked;
    ++shipped.asked;
    entry.forgotten += !leaks;
    shipped.forgotten += !leaks;
    if (leaks) entry.leaks.push_back(questions[i].prompt + " → " + reply);
  }
  return shipped;
}

Json to_json(const Shipped& s) {
  Json entries = Json::array();
  for (const ShippedEntry& e : s.entries)
    entries.push_back(
        {{"entry", e.id}, {"asked", e.asked}, {"forgotten", e.forgotten}, {"leaks", e.leaks}});
  return {{"asked", s.asked},
          {"forgotten", s.forgotten},
          {"sealed", s.sealed},
          {"entries", std::move(entries)}};
}

}  // namespace expunge::app
