#include "service/bench_facts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "repair/fact_set.h"
#include "repair/search.h"
#include "service/bench_engine.h"
#include "verify/refusal.h"
#include "verify/reveals.h"
#include "verify/score.h"

namespace expunge::service {
namespace {

using base::Json;
using base::Result;
using verify::Question;

// One of the answers occurs in the reply as given, or in another case if it is longer than a
// symbol.
bool answered(const std::string& reply, const std::vector<std::string>& answers) {
  return verify::reveals(reply, answers) || std::ranges::any_of(answers, [&](const std::string& a) {
           return reply.find(a) != reply.npos;
         });
}

struct Rate {
  size_t good = 0, n = 0;
  void add(bool g) {
    good += g;
    ++n;
  }
  Json value() const {
    return n == 0 ? Json() : Json(static_cast<double>(good) / static_cast<double>(n));
  }
};

struct Tally {
  std::map<std::string, Rate> rates;
  Json failures = Json::array();
  std::vector<double> seconds, ppl;
};

enum class Want { kForgotten, kKept };

// Asks the model and counts; returns how many replies were good.
Result<size_t> measure(const model::ChatModel& chat_model, const std::vector<Question>& questions,
                       Want want, const char* name, const std::string& about, const base::Job& job,
                       Tally& tally) {
  if (questions.empty()) return 0;
  const auto replies = TRY(repair::ask(chat_model, questions, verify::kReplyTokens, job));
  size_t good = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    const bool there = answered(replies[i], questions[i].answers);
    const bool ok = there == (want == Want::kKept);
    good += ok;
    tally.rates[name].add(ok);
    if (!ok)
      tally.failures.push_back({{"fact", about},
                                {"kind", name},
                                {"prompt", questions[i].prompt},
                                {"prefill", questions[i].prefill},
                                {"reply", replies[i]}});
  }
  return good;
}

// Those that the model answers: of the others an edit's figures would say nothing.
Result<std::vector<Question>> known(const model::ChatModel& chat_model,
                                    const std::vector<Question>& questions, const base::Job& job) {
  std::vector<Question> kept;
  if (questions.empty()) return kept;
  const auto replies = TRY(repair::ask(chat_model, questions, verify::kReplyTokens, job));
  for (size_t i = 0; i < questions.size(); ++i)
    if (answered(replies[i], questions[i].answers)) kept.push_back(questions[i]);
  return kept;
}

Result<std::vector<repair::Fact>> known_facts(const model::ChatModel& base,
                                              std::vector<repair::Fact> facts,
                                              const base::Job& job) {
  std::vector<repair::Fact> kept;
  for (size_t i = 0; i < facts.size(); ++i) {
    job.report("asking what the model knows", i + 1, facts.size());
    repair::Fact& f = facts[i];
    if (TRY(known(base, {{f.request.prompt, "", f.request.answers}}, job)).empty()) continue;
    for (auto* questions : {&f.paraphrases, &f.neighbours, &f.same_subject, &f.same_subject_first})
      *questions = TRY(known(base, *questions, job));
    kept.push_back(std::move(f));
  }
  return kept;
}

Result<double> text_nll(const model::ChatModel& chat_model, const base::Job& job) {
  std::vector<verify::ScoreItem> items;
  for (const std::string& text : agent::Wordings::builtin().held_prose)
    items.push_back({TRY(chat_model.encode_text(text)), 1});
  double total = 0, n = 0;
  for (const verify::AnswerScore& s :
       TRY(verify::score(chat_model.model, items, {}, job.reporting({})))) {
    total += s.avg_loss * static_cast<double>(s.logprobs.size());
    n += static_cast<double>(s.logprobs.size());
  }
  return n > 0 ? total / n : 0;
}

// Plans and carries out a request as the options say; a partial edit is kept.
Result<repair::Outcome> forget(Session& session, const agent::Request& request,
                               const BenchFactsOptions& options, const base::Job& job) {
  repair::ForgetOptions keep;
  keep.decide = [](const verify::Report&) { return repair::Decision::kKeepPartial; };
  agent::Plan plan = TRY(options.plan ? options.plan(session, request)
                                      : session.plan({request}, agent::Intent::kForget, job));
  return session.forget(std::move(plan), keep, journal::Seal::kNo, job);
}

Result<Json> one_by_one(Session& session, const std::vector<repair::Fact>& facts,
                        const std::vector<Question>& unrelated, double base_nll,
                        const BenchFactsOptions& options, const base::Job& job, Tally& tally) {
  Json rows = Json::array();
  for (size_t i = 0; i < facts.size(); ++i) {
    const repair::Fact& f = facts[i];
    job.report("facts", i + 1, facts.size());
    const base::Stopwatch clock;
    auto attempt = forget(session, f.request, options, job);
    if (!attempt) {
      if (attempt.error().code == base::Code::kCancelled) return tl::unexpected(attempt.error());
      // Nothing was edited: the fact is still there.
      for (const char* rate : {"exact", "strict", "relaxed", "gates_passed"})
        tally.rates[rate].add(false);
      tally.failures.push_back({{"fact", f.request.prompt},
                                {"kind", "not carried out"},
                                {"error", attempt.error().message}});
      rows.push_back({{"question", f.request.prompt},
                      {"verdict", "not carried out"},
                      {"error", attempt.error().message}});
      continue;
    }
    const repair::Outcome outcome = *std::move(attempt);
    tally.seconds.push_back(clock.seconds());
    const model::ChatModel p = session.present();
    const auto count = [&](const std::vector<Question>& questions, Want want, const char* name) {
      return measure(p, questions, want, name, f.request.prompt, job, tally);
    };
    const Question exact{f.request.prompt, "", f.request.answers};
    const size_t forgot = TRY(count({exact}, Want::kForgotten, "exact"));
    const std::string reply = TRY(repair::ask(p, {&exact, 1}, verify::kReplyTokens, job))[0];
    tally.rates["refusal"].add(verify::is_refusal(reply));
    const size_t para = TRY(count(f.paraphrases, Want::kForgotten, "paraphrase"));
    TRY(count(f.probing, Want::kForgotten, "probing"));
    const size_t near = TRY(count(f.neighbours, Want::kKept, "neighbours"));
    TRY(count(f.same_subject, Want::kKept, "same_subject"));
    TRY(count(f.same_subject_first, Want::kKept, "same_subject_first"));
    TRY(count(unrelated, Want::kKept, "unrelated"));
    const bool enough = f.neighbours.size() - near <= f.neighbours.size() / 4;
    const bool strict = forgot == 1 && para == f.paraphrases.size() && enough;
    const bool relaxed = forgot == 1 && para * 3 >= f.paraphrases.size() * 2 && enough;
    tally.rates["strict"].add(strict);
    tally.rates["relaxed"].add(relaxed);
    tally.rates["gates_passed"].add(outcome.verdict == repair::Verdict::kPassed);
    tally.ppl.push_back(std::exp(TRY(text_nll(p, job)) - base_nll));
    rows.push_back({{"question", f.request.prompt},
                    {"reply", reply},
                    {"verdict", repair::name(outcome.verdict)},
                    {"exact", forgot == 1},
                    {"paraphrases", para},
                    {"neighbours", near},
                    {"strict", strict},
                    {"relaxed", relaxed},
                    {"ppl_ratio", tally.ppl.back()},
                    {"edit_norm", outcome.edit_norm},
                    {"seconds", outcome.seconds},
                    {"gates", verify::to_json(outcome.after, verify::Detail::kFigures)["gates"]},
                    {"tried", outcome.search}});
    TRY(session.undo(outcome.entry, job));
  }
  return rows;
}

// The figures of the facts in a model with all their edits.
Result<Json> standing(const model::ChatModel& p, std::span<const repair::Fact> facts,
                      const std::vector<Question>& unrelated, double base_nll,
                      const base::Job& job) {
  Tally tally;
  const auto count = [&](const std::vector<Question>& questions, Want want, const char* name,
                         const std::string& about) {
    return measure(p, questions, want, name, about, job, tally);
  };
  for (const repair::Fact& f : facts) {
    const std::string& asked = f.request.prompt;
    TRY(count({{asked, "", f.request.answers}}, Want::kForgotten, "exact", asked));
    TRY(count(f.paraphrases, Want::kForgotten, "paraphrase", asked));
    // A neighbour that was itself to be forgotten no longer counts.
    std::vector<Question> near;
    for (const Question& q : f.neighbours)
      if (std::ranges::none_of(facts,
                               [&](const repair::Fact& o) { return o.request.prompt == q.prompt; }))
        near.push_back(q);
    TRY(count(near, Want::kKept, "neighbours", asked));
  }
  TRY(count(unrelated, Want::kKept, "unrelated", ""));
  Json result = {{"n", facts.size()}};
  for (const char* key : {"exact", "paraphrase", "neighbours", "unrelated"})
    result[key] = tally.rates[key].value();
  result["ppl_ratio"] = std::exp(TRY(text_nll(p, job)) - base_nll);
  result["failures"] = std::move(tally.failures);
  return result;
}

Result<Json> in_sequence(Session& session, const std::vector<repair::Fact>& given,
                         const std::vector<Question>& unrelated, double base_nll,
                         const BenchFactsOptions& options, const base::Job& job) {
  constexpr size_t kEvery = 10;
  const std::vector<repair::Fact> facts =
      repair::lengthened(given, static_cast<size_t>(options.sequence));
  const size_t n = std::min(static_cast<size_t>(options.sequence), facts.size());
  std::vector<double> seconds;
  size_t partial = 0, refused = 0;
  Json after = Json::array(), last;
  for (size_t i = 0; i < n; ++i) {
    job.report("sequence", i + 1, n);
    auto attempt = forget(session, facts[i].request, options, job);
    if (!attempt && attempt.error().code == base::Code::kCancelled)
      return tl::unexpected(attempt.error());
    refused += !attempt;
    if (attempt) {
      seconds.push_back(attempt->seconds.at("total"));
      partial += attempt->verdict == repair::Verdict::kPartial;
    }
    if ((i + 1) % kEvery != 0 && i + 1 != n) continue;
    last =
        TRY(standing(session.present(), std::span(facts).first(i + 1), unrelated, base_nll, job));
    after.push_back(last);
    after.back().erase("failures");
  }
  Json result = std::move(last);
  result["after"] = std::move(after);
  if (options.written && n > 0) {
    const model::ChatModel written = TRY(options.written(session));
    result["written"] = TRY(standing(written, std::span(facts).first(n), unrelated, base_nll, job));
  }
  result["partial"] = partial;
  result["not_carried_out"] = refused;
  result["request_s_first"] = seconds.empty() ? 0 : seconds.front();
  result["request_s_last"] = seconds.empty() ? 0 : seconds.back();
  for (const journal::Entry& e : TRY(session.active())) TRY(session.undo(e.id, job));
  result["base_hash_after_undo"] = session.present().model.weights_hash() == session.base_hash();
  return result;
}

}  // namespace

Result<Json> bench_facts(Session& session, const BenchFactsOptions& options, const base::Job& job) {
  auto given = TRY(repair::read_facts(options.facts, options.limit));
  const size_t n_given = given.size();
  std::vector<Question> unrelated;
  if (!options.unrelated.empty()) unrelated = TRY(repair::read_questions(options.unrelated));
  if (!TRY(session.active()).empty())
    return base::fail(base::Code::kConflict, "the journal has active edits",
                      "give an empty one with --journal");
  const auto facts = TRY(known_facts(session.present(), std::move(given), job));
  if (facts.empty())
    return base::fail(base::Code::kNotFound,
                      fmt::format("the model knows none of the {} facts", n_given),
                      "give facts that it answers");
  unrelated = TRY(known(session.present(), unrelated, job));
  const double base_nll = TRY(text_nll(session.present(), job));
  Tally tally;
  Json rows = TRY(one_by_one(session, facts, unrelated, base_nll, options, job, tally));
  Json result = {
      {"items", facts.size()}, {"given", n_given}, {"unrelated_items", unrelated.size()}};
  for (const char* key : {"exact", "paraphrase", "strict", "relaxed", "neighbours", "same_subject",
                          "same_subject_first", "unrelated", "probing", "refusal", "gates_passed"})
    result[key] = tally.rates[key].value();
  const double n = static_cast<double>(std::max<size_t>(tally.ppl.size(), 1));
  result["ppl_ratio"] = std::accumulate(tally.ppl.begin(), tally.ppl.end(), 0.0) / n;
  result["ppl_ratio_max"] = tally.ppl.empty() ? 1.0 : *std::ranges::max_element(tally.ppl);
  result["request_s_median"] = median(tally.seconds);
  result["facts"] = std::move(rows);
  result["failures"] = std::move(tally.failures);
  if (options.sequence > 0)
    result["sequence"] = TRY(in_sequence(session, facts, unrelated, base_nll, options, job));
  return result;
}

}  // namespace expunge::service
