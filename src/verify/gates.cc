#include "verify/gates.h"

#include <algorithm>
#include <cmath>

#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Result;

std::string lower(std::string_view text) {
  std::string s(text);
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return std::tolower(c); });
  return s;
}

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; (at = text.find(word, at)) != text.npos; ++at) {
    const size_t end = at + word.size();
    if ((at == 0 || !word_char(text[at - 1])) && (end == text.size() || !word_char(text[end])))
      return true;
  }
  return false;
}

bool known(const Question& q) { return !q.answers.empty(); }

// States that are known for every text are taken, else all are computed.
Result<model::Stage> staged(const model::Model& model, const std::vector<Text>& texts,
                            int64_t layer) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Tensor> entering;
  for (const Text& t : texts) {
    prompts.push_back(t.ids);
    if (t.entering.defined()) entering.push_back(t.entering);
  }
  if (entering.size() < prompts.size()) entering.clear();
  return model::Stage::prepare(model, std::move(prompts), layer, entering);
}

}  // namespace

bool reveals(std::string_view reply, const std::vector<std::string>& answers) {
  constexpr size_t kShort = 3;
  const std::string lowered = lower(reply);
  return std::ranges::any_of(answers, [&](const std::string& a) {
    if (a.empty()) return false;
    const std::string small = lower(a);
    if (a.size() > kShort) return lowered.find(small) != lowered.npos;
    return a == small ? has_word(lowered, a) : has_word(reply, a);  // yen; Au, which is a symbol
  });
}

Result<Examiner> Examiner::prepare(const model::ChatModel& patient, const GateQuestions& suite,
                                   int64_t layer) {
  Examiner e(patient);
  e.bounds_ = suite.bounds;
  const auto add = [&](const char* gate, const std::vector<Question>& questions, bool kept) {
    for (const Question& q : questions)
      (kept && !known(q) ? e.followed_ : e.asked_).push_back({gate, q, kept, {}});
  };
  add("exact", suite.exact, false);
  add("paraphrases", suite.paraphrases, false);
  add("probing", suite.probing, false);
  add("neighbours", suite.neighbours, true);
  add("same_subject", suite.same_subject, true);
  add("unrelated", suite.unrelated, true);
  TRY(e.refer(e.followed_));
  const auto stage = [&](const std::vector<Case>& cases) -> Result<model::Stage> {
    std::vector<Text> prompts;
    for (const Case& c : cases) {
      const text::Message m{"user", c.question.prompt};
      prompts.push_back({TRY(patient.encode({&m, 1}, c.question.prefill)), c.question.entering});
      if (!c.reference.empty())  // nothing is asked behind its last token
        prompts.back().ids.insert(prompts.back().ids.end(), c.reference.begin(),
                                  c.reference.end() - 1);
    }
    return staged(patient.model, prompts, layer);
  };
  e.asked_stage_ = TRY(stage(e.asked_));
  e.followed_stage_ = TRY(stage(e.followed_));
  e.texts_stage_ = TRY(staged(patient.model, suite.texts, layer));
  e.edited_already_ = suite.texts_nll.has_value();
  e.base_nll_ = e.edited_already_ ? *suite.texts_nll : TRY(e.texts_nll(patient.model));
  return e;
}

// The first tokens of the model's own reply; the end of the turn counts as one.
base::Status Examiner::refer(std::vector<Case>& cases) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<Case*> unknown;
  for (Case& c : cases) {
    c.reference = c.question.reply;
    if (c.reference.size() > kKeptTokens) c.reference.resize(kKeptTokens);
    if (!c.reference.empty()) continue;
    const text::Message m{"user", c.question.prompt};
    prompts.push_back(TRY(patient_->encode({&m, 1}, c.question.prefill)));
    unknown.push_back(&c);
  }
  model::GenerateOptions options;
  options.max_new_tokens = kKeptTokens;
  const auto replies = TRY(model::generate(patient_->model, prompts, options));
  const auto& ends = patient_->model.config().end_ids;
  for (size_t i = 0; i < unknown.size(); ++i) {
    unknown[i]->reference = replies[i].ids;
    if (replies[i].stop == model::Stop::kEndOfTurn && !ends.empty())
      unknown[i]->reference.push_back(ends[0]);
  }
  return {};
}

Result<double> Examiner::texts_nll(const model::Model& model) {
  if (texts_stage_->size() == 0) return 0.0;
  std::vector<int64_t> tails;
  std::vector<int32_t> targets;
  for (size_t i = 0; i < texts_stage_->size(); ++i) {
    const auto& ids = texts_stage_->prompt(i);
    tails.push_back(static_cast<int64_t>(ids.size() - texts_stage_->n_shared()) - 1);
  }
  const Tensor logits = TRY(texts_stage_->logits(model, tails));
  double total = 0;
  int64_t row = 0, n = 0;
  for (size_t i = 0; i < texts_stage_->size(); ++i) {
    const auto& ids = texts_stage_->prompt(i);
    const int64_t count = tails[i];
    const AnswerScore s = score_rows(logits.narrow(0, row, count),
                                     std::span(ids).subspan(texts_stage_->n_shared() + 1));
    total += s.avg_loss * static_cast<double>(count);
    n += count;
    row += count + 1;
  }
  return total / static_cast<double>(std::max<int64_t>(n, 1));
}

base::Status Examiner::judge_asked(const model::Model& model, std::map<std::string, Gate>& gates) {
  // A reply that reveals an answer has been judged.
  const auto judged = [&](size_t i, std::span<const int32_t> ids) {
    const auto reply = patient_->tokenizer.decode(ids);
    return reply && reveals(*reply, asked_[i].question.answers) ? model::Next::kStop
                                                                : model::Next::kGoOn;
  };
  const auto replies = TRY(asked_stage_->generate(model, kReplyTokens, {}, judged));
  for (size_t i = 0; i < asked_.size(); ++i) {
    const Case& c = asked_[i];
    const std::string reply = TRY(patient_->tokenizer.decode(replies[i]));
    const bool reveal = reveals(reply, c.question.answers);
    const std::string& wanted = c.question.replacement;
    const bool replaced = wanted.empty() || reveals(reply, {wanted});
    gates[c.gate].items.push_back(
        {c.question.prompt, c.question.prefill, reply, reveal == c.kept && replaced});
  }
  return {};
}

base::Status Examiner::judge_followed(const model::Model& model,
                                      std::map<std::string, Gate>& gates) {
  if (followed_.empty()) return {};
  std::vector<int64_t> tails;
  for (const Case& c : followed_) tails.push_back(static_cast<int64_t>(c.reference.size()) - 1);
  const Tensor best = TRY(followed_stage_->logits(model, tails)).argmax(1);
  int64_t row = 0;
  for (const Case& c : followed_) {
    std::vector<int32_t> reply;
    for (size_t t = 0; t < c.reference.size(); ++t) {
      reply.push_back(static_cast<int32_t>(best[row + static_cast<int64_t>(t)].item<int64_t>()));
      if (reply.back() != c.reference[t]) break;
    }
    row += static_cast<int64_t>(c.reference.size());
    gates[c.gate].items.push_back({c.question.prompt, c.question.prefill,
                                   TRY(patient_->tokenizer.decode(reply)), reply == c.reference});
  }
  return {};
}

// Mean nats a token of the exact question's reply under the present, unedited weights.
Result<double> Examiner::reply_nll(const Gate& exact) const {
  std::vector<ScoreItem> items;
  for (const Item& item : exact.items) {
    const text::Message m{"user", item.prompt};
    ScoreItem s{TRY(patient_->encode({&m, 1}, item.prefill)), 0};
    s.first = s.ids.size();
    const auto reply = TRY(patient_->tokenizer.encode(item.reply)).ids;
    if (reply.empty()) continue;
    s.ids.insert(s.ids.end(), reply.begin(), reply.end());
    items.push_back(std::move(s));
  }
  double total = 0;
  for (const AnswerScore& s : TRY(score(patient_->model, items))) total += s.avg_loss;
  return items.empty() ? 0 : total / static_cast<double>(items.size());
}

Result<Report> Examiner::before() {
  std::map<std::string, Gate> gates;
  TRY(judge_asked(patient_->model, gates));
  for (const Case& c : followed_)
    gates[c.gate].items.push_back({c.question.prompt, c.question.prefill,
                                   TRY(patient_->tokenizer.decode(c.reference)), true});
  return report(std::move(gates), {"perplexity", Sense::kAtMost, 1, 0, {}, {}});
}

Result<Report> Examiner::examine(const model::Model& edited) {
  std::map<std::string, Gate> gates;
  Gate perplexity{"perplexity", Sense::kAtMost, 1, 0, {}, {}};
  TRY(judge_asked(edited, gates));
  TRY(judge_followed(edited, gates));
  if (texts_stage_->size() > 0)
    perplexity.value = std::exp(TRY(texts_nll(edited)) - base_nll_);
  else
    perplexity.absent = "no texts were given";
  return report(std::move(gates), std::move(perplexity));
}

// Shares, fluency under the unedited model, bounds.
Result<Report> Examiner::report(std::map<std::string, Gate> gates, Gate perplexity) const {
  Report result;
  for (const char* name :
       {"exact", "paraphrases", "probing", "neighbours", "same_subject", "unrelated"}) {
    Gate gate = std::move(gates[name]);
    gate.name = name;
    if (gate.items.empty()) gate.absent = "no questions of this kind";
    const auto good = std::ranges::count_if(gate.items, &Item::good);
    if (!gate.items.empty())
      gate.value = static_cast<double>(good) / static_cast<double>(gate.items.size());
    result.gates.push_back(std::move(gate));
  }
  result.gates.push_back(std::move(perplexity));
  const Gate& exact = result.gates.front();
  Gate fluency{"reply_nll", Sense::kAtMost, 0, 0, {}, exact.absent};
  if (edited_already_)
    fluency.absent = "the unedited weights are not at hand";
  else if (std::ranges::any_of(asked_,
                               [](const Case& c) { return !c.question.replacement.empty(); }))
    fluency.absent = "a corrected answer is one that the unedited model would not give";
  else
    fluency.value = TRY(reply_nll(exact));
  result.gates.push_back(std::move(fluency));
  for (Gate& gate : result.gates)
    if (const auto bound = bounds_.find(gate.name); bound != bounds_.end())
      gate.bound = bound->second;
  return result;
}

}  // namespace expunge::verify
