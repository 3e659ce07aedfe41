#include "verify/gate_run.h"

#include <algorithm>

#include "model/generate.h"
#include "verify/base_replies.h"
#include "verify/reveals.h"
#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Result;

Result<std::vector<int32_t>> encode(const model::ChatModel& model, const Question& q) {
  const text::Message message{"user", q.prompt};
  return model.encode({&message, 1}, q.prefill);
}

// States that are known for every prompt are taken, else all are computed.
Result<model::Stage> staged(const model::Model& model, const std::vector<Text>& texts,
                            int64_t layer, const base::Job& job) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Tensor> entering;
  for (const Text& t : texts) {
    prompts.push_back(t.ids);
    if (t.entering.defined()) entering.push_back(t.entering);
  }
  if (entering.size() < prompts.size()) entering.clear();
  return model::Stage::prepare(model, std::move(prompts), layer, entering, job);
}

// Mean nats a token of the staged texts; nothing if there are none.
Result<std::optional<double>> mean_nll(model::Stage& texts, const model::Model& model,
                                       const base::Job& job) {
  if (texts.size() == 0) return std::nullopt;
  const size_t shared = texts.n_shared();
  std::vector<int64_t> tails;
  for (size_t i = 0; i < texts.size(); ++i)
    tails.push_back(static_cast<int64_t>(texts.prompt(i).size() - shared) - 1);
  const Tensor logits = TRY(texts.logits(model, tails, job));
  double total = 0;
  int64_t row = 0, n = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    const AnswerScore s =
        score_rows(logits.narrow(0, row, tails[i]), std::span(texts.prompt(i)).subspan(shared + 1));
    total += s.avg_loss * static_cast<double>(tails[i]);
    n += tails[i];
    row += tails[i] + 1;
  }
  return total / static_cast<double>(std::max<int64_t>(n, 1));
}

// The states are the base model's: they are not valid for another model.
std::vector<Text> without_states(const std::vector<Text>& texts) {
  std::vector<Text> plain;
  for (const Text& t : texts) plain.push_back({t.ids});
  return plain;
}

}  // namespace

Result<GateRun> GateRun::prepare(const model::ChatModel& base, const GateQuestions& questions,
                                 const base::Job& job) {
  const auto shared = std::make_shared<const model::ChatModel>(base);
  return prepare(GateRun(shared, shared, questions), questions.layer, job);
}

Result<Report> examine(const model::ChatModel& base, const model::ChatModel& edited,
                       const GateQuestions& questions, const base::Job& job) {
  GateRun run =
      TRY(GateRun::prepare(GateRun(std::make_shared<const model::ChatModel>(base),
                                   std::make_shared<const model::ChatModel>(edited), questions),
                           1, job));
  return run.examine(edited.model, job);
}

Result<GateRun> GateRun::prepare(GateRun run, int64_t layer, const base::Job& job) {
  TRY(run.collect());
  TRY(run.refer(job));
  run.answered_stage_ = TRY(run.stage(run.answered_, layer, job));
  run.opened_stage_ = TRY(run.stage(run.opened_, layer, job));
  model::Stage base_texts = TRY(staged(run.base_->model, run.given_.texts, run.given_.layer, job));
  run.base_nll_ = TRY(mean_nll(base_texts, run.base_->model, job));
  if (run.asked_ == run.base_)
    run.texts_stage_ = std::move(base_texts);
  else
    run.texts_stage_ = TRY(staged(run.asked_->model, without_states(run.given_.texts), layer, job));
  return run;
}

base::Status GateRun::collect() {
  if (given_.exact.empty())
    return fail(Code::kInvalid, "the gates were given no question that is to be forgotten");
  for (const Gate* gate : gates()) {
    if (!gate->questions) continue;
    for (Question& q : gate->questions(given_)) {
      const bool known = std::ranges::any_of(q.answers, [](const auto& a) { return !a.empty(); });
      if (gate->section == Section::kForgotten && !known)
        return fail(
            Code::kInvalid,
            fmt::format("nothing could reveal the answer to '{}': none was given", q.prompt),
            "give its answers");
      (known ? answered_ : opened_).push_back({gate, std::move(q)});
    }
  }
  return {};
}

// The first tokens of the base model's own replies; the end of the turn counts as one.
base::Status GateRun::refer(const base::Job& job) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Case*> unknown;
  for (Case& c : opened_) {
    c.reference = c.question.reply;
    if (c.reference.size() > kKeptTokens) c.reference.resize(kKeptTokens);
    if (!c.reference.empty()) continue;
    prompts.push_back(TRY(encode(*base_, c.question)));
    unknown.push_back(&c);
  }
  model::GenerateOptions options;
  options.max_new_tokens = kKeptTokens;
  const auto replies = TRY(model::generate(base_->model, prompts, options, job));
  for (size_t i = 0; i < unknown.size(); ++i) unknown[i]->reference = reply_ids(replies[i]);
  return {};
}

Result<model::Stage> GateRun::stage(const std::vector<Case>& cases, int64_t layer,
                                    const base::Job& job) const {
  std::vector<Text> prompts;
  for (const Case& c : cases) {
    auto ids = TRY(encode(*asked_, c.question));
    prompts.push_back({std::move(ids)});
    if (asked_ == base_) prompts.back().entering = c.question.entering;
    if (!c.reference.empty())  // nothing is predicted after its last token
      prompts.back().ids.insert(prompts.back().ids.end(), c.reference.begin(),
                                c.reference.end() - 1);
  }
  return staged(asked_->model, prompts, layer, job);
}

base::Status GateRun::judge_answers(const model::Model& model, const base::Job& job, Items& items) {
  // A reply that reveals an answer has been judged.
  const auto replies = TRY(answered_stage_->generate(
      model, kReplyTokens, job, [&](size_t i, std::span<const int32_t> ids) {
        const auto reply = asked_->tokenizer.decode(ids);
        return reply && reveals(*reply, answered_[i].question.answers) ? model::Next::kStop
                                                                       : model::Next::kGoOn;
      }));
  for (size_t i = 0; i < answered_.size(); ++i) {
    const auto& [gate, q, reference] = answered_[i];
    const std::string reply = TRY(asked_->tokenizer.decode(replies[i]));
    const bool wanted = reveals(reply, q.answers) == (gate->section == Section::kKept);
    const bool replaced = q.replacement.empty() || reveals(reply, {q.replacement});
    items[gate].push_back({q.prompt, q.prefill, reply, wanted && replaced});
  }
  return {};
}

base::Status GateRun::judge_openings(const model::Model& model, const base::Job& job,
                                     Items& items) {
  if (opened_.empty()) return {};
  std::vector<int64_t> tails;
  for (const Case& c : opened_) tails.push_back(static_cast<int64_t>(c.reference.size()) - 1);
  const Tensor best = TRY(opened_stage_->logits(model, tails, job)).argmax(1);
  const int64_t* next = best.data_ptr<int64_t>();
  for (const Case& c : opened_) {
    std::vector<int32_t> reply;
    for (size_t t = 0; t < c.reference.size(); ++t) {
      reply.push_back(static_cast<int32_t>(next[t]));
      if (reply.back() != c.reference[t]) break;
    }
    next += c.reference.size();
    std::string text = TRY(asked_->tokenizer.decode(reply));
    items[c.gate].push_back(
        {c.question.prompt, c.question.prefill, std::move(text), reply == c.reference});
  }
  return {};
}

// Mean nats a token that the base model gives the replies to the exact questions.
Result<double> GateRun::reply_nll(const Items& items, const base::Job& job) const {
  std::vector<ScoreItem> scored;
  for (const Question& q : given_.exact) {
    const Item* asked = nullptr;
    for (const auto& [gate, list] : items)
      for (const Item& item : list)
        if (!asked && item.prompt == q.prompt && item.prefill == q.prefill) asked = &item;
    CHECK(asked, "no gate asks '{}'", q.prompt);
    auto ids = TRY(encode(*base_, q));
    ScoreItem s{ids, ids.size()};
    const auto reply = TRY(base_->tokenizer.encode(asked->reply)).ids;
    s.ids.insert(s.ids.end(), reply.begin(), reply.end());
    if (!reply.empty()) scored.push_back(std::move(s));
  }
  double total = 0;
  for (const AnswerScore& s : TRY(score(base_->model, scored, {}, job.reporting({}))))
    total += s.avg_loss;
  return scored.empty() ? 0 : total / static_cast<double>(scored.size());
}

Result<Report> GateRun::before(const base::Job& job) {
  Items items;
  TRY(judge_answers(base_->model, job, items));
  for (const Case& c : opened_) {
    std::string text = TRY(base_->tokenizer.decode(c.reference));
    items[c.gate].push_back({c.question.prompt, c.question.prefill, std::move(text), true});
  }
  return report(std::move(items), base_nll_, job);
}

Result<Report> GateRun::examine(const model::Model& edited, const base::Job& job) {
  Items items;
  TRY(judge_answers(edited, job, items));
  TRY(judge_openings(edited, job, items));
  const auto texts_nll = TRY(mean_nll(*texts_stage_, edited, job));
  return report(std::move(items), texts_nll, job);
}

Result<Report> GateRun::report(Items items, std::optional<double> texts_nll,
                               const base::Job& job) const {
  Observed observed{base_nll_, texts_nll, 0.0};
  if (std::ranges::any_of(given_.exact, [](const auto& q) { return !q.replacement.empty(); }))
    observed.reply_nll =
        fail(Code::kNotFound, "a corrected answer is one that the unedited model would not give");
  else
    observed.reply_nll = TRY(reply_nll(items, job));
  Report result;
  for (const Gate* gate : gates()) {
    const auto bound = given_.bounds.find(gate->name);
    GateResult r{.name = std::string(gate->name),
                 .section = gate->section,
                 .sense = gate->sense,
                 .bound = bound == given_.bounds.end() ? gate->bound : bound->second};
    if (gate->questions) {
      r.items = std::move(items[gate]);
      const auto good = std::ranges::count_if(r.items, &Item::good);
      if (r.items.empty())
        r.absent = "no questions of this kind";
      else
        r.value = static_cast<double>(good) / static_cast<double>(r.items.size());
    } else if (const Result<double> figure = gate->figure(observed)) {
      r.value = *figure;
    } else {
      r.absent = figure.error().message;
    }
    result.gates.push_back(std::move(r));
  }
  return result;
}

}  // namespace expunge::verify
