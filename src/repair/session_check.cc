// What a session asks again: earlier entries after a change, the gates, the recorded hashes.
#include "repair/session.h"

namespace expunge::repair {

using base::Code;
using base::fail;
using base::Result;

namespace {

// An entry made by a training has none of its own: whoever has its sets can ask them.
bool has_questions(const journal::Entry& e) {
  return !e.sealed && e.plan.is_object() && !e.plan.empty();
}

}  // namespace

Result<std::vector<Recheck>> Session::recheck(int64_t except, size_t at_most) {
  std::vector<Recheck> checks;
  std::vector<verify::Question> questions;
  std::vector<size_t> owner;
  const auto active = TRY(journal_->active());
  for (auto e = active.rbegin(); e != active.rend() && checks.size() < at_most; ++e) {
    if (e->id == except || !has_questions(*e)) continue;
    const auto plan = agent::plan_from_json(e->plan);
    if (!plan) continue;
    checks.push_back({e->id, 0, 0});
    for (const agent::Target& t : plan->targets) {
      questions.push_back({t.prompt, "", t.answers});
      owner.push_back(checks.size() - 1);
      if (t.held.empty()) continue;
      questions.push_back({t.held[0].prompt, t.held[0].prefill, t.answers});
      owner.push_back(checks.size() - 1);
    }
  }
  if (questions.empty()) return checks;
  const auto replies = TRY(ask(patient_, questions, verify::kReplyTokens));
  for (size_t i = 0; i < questions.size(); ++i) {
    Recheck& check = checks[owner[i]];
    ++check.asked;
    check.forgotten += !verify::reveals(replies[i], questions[i].answers);
  }
  return checks;
}

Result<std::vector<Verified>> Session::verify(int64_t id, const model::ChatModel* written) {
  TRY(refresh());
  const auto active = TRY(journal_->active());
  std::vector<journal::Entry> asked;
  for (const journal::Entry& e : active) {
    if (id == 0 ? !has_questions(e) : e.id != id) continue;
    if (e.sealed)
      return fail(Code::kUnsupported, fmt::format("entry {} is sealed: its questions are gone", id),
                  "give the question again with expunge generate");
    if (!has_questions(e))
      return fail(Code::kUsage,
                  fmt::format("entry {} was trained on sets, which the journal does not hold", id),
                  fmt::format("name them: expunge verify {} --forget F --retain R", id));
    asked.push_back(e);
  }
  std::vector<Verified> results;
  if (asked.empty()) {
    if (id == 0) return results;
    return fail(Code::kNotFound, fmt::format("there is no active entry {}", id),
                "expunge log shows which entries are active");
  }
  edit::Edit all;
  for (const edit::Edit& e : TRY(journal_->active_edits())) all = edit::sum(all, e);
  const unlearn::Background* background = TRY(this->background());
  // What is kept is compared with the unedited model.
  TRY(edit::commit(patient_.model, {}));
  const auto examine = [&]() -> base::Status {
    double base_nll = 0;
    if (written) {
      verify::GateQuestions texts;
      texts.texts = references_.texts;
      base_nll = TRY(verify::Examiner::prepare(patient_, texts, background->layer)).base_nll();
    }
    for (const journal::Entry& e : asked) {
      const agent::Plan plan = TRY(agent::plan_from_json(e.plan));
      std::vector<verify::Report> reports;
      const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
      const int64_t layer = examined_layer(*method, {&all, 1}, *background);
      for (const agent::Target& t : plan.targets) {
        if (progress_) progress_("verifying", results.size() + 1, asked.size());
        Assignment a = TRY(assign(t, plan, layer));
        if (!written) {
          auto examiner = TRY(verify::Examiner::prepare(patient_, a.suite, layer));
          reports.push_back(TRY(examiner.examine(all)));
          continue;
        }
        a.suite.texts_nll = base_nll;
        for (auto* kept : {&a.suite.neighbours, &a.suite.same_subject, &a.suite.unrelated})
          for (verify::Question& q : *kept) q.entering.reset();
        for (verify::Text& text : a.suite.texts) text.entering.reset();
        auto examiner = TRY(verify::Examiner::prepare(*written, a.suite, 1));
        reports.push_back(TRY(examiner.examine({})));
      }
      results.push_back({e.id, verify::merged(std::move(reports))});
    }
    return {};
  };
  base::Status examined = examine();
  head_ = -1;
  TRY(refresh());
  if (!examined) return tl::unexpected(std::move(examined.error()));
  return results;
}

base::Status Session::replay() {
  head_ = -1;
  TRY(journal_->check());
  TRY(refresh());
  const auto entries = TRY(journal_->entries());
  for (auto e = entries.rbegin(); e != entries.rend(); ++e) {
    if (e->weights_hash.empty()) continue;
    const std::string now = patient_.model.weights_hash();
    if (now != e->weights_hash)
      return fail(
          Code::kCorrupt,
          fmt::format("the weights hash to {}, entry {} recorded {}", now.substr(0, 16), e->id,
                      e->weights_hash.substr(0, 16)),
          "another LibTorch or processor may round differently; expunge verify asks the gates");
    return {};
  }
  return {};
}

}  // namespace expunge::repair
