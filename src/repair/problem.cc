#include "repair/problem.h"

#include <algorithm>
#include <set>

#include "model/generate.h"

namespace expunge::repair {
namespace {

using base::Result;
using verify::Question;

constexpr size_t kGateNeighbours = 8, kGateSubject = 8, kGateUnrelated = 12, kKeptReplyTokens = 10,
                 kOwnReplyTokens = 14, kGateTexts = 2, kSameSubject = 18;

std::vector<Question> questions(const std::vector<std::string>& prompts) {
  std::vector<Question> result;
  for (const std::string& p : prompts) result.push_back({p, "", {}});
  return result;
}

// The reply up to where the first answer begins; empty if it begins the reply or is not there.
std::string before_answer(const std::string& reply, const std::vector<std::string>& answers) {
  size_t first = reply.npos;
  for (const std::string& a : answers) first = std::min(first, reply.find(a));
  if (first == reply.npos) return {};
  while (first > 0 && reply[first - 1] == ' ') --first;
  return reply.substr(0, first);
}

// At most n of the list, evenly spread.
template <class T>
std::vector<T> spread(const std::vector<T>& all, size_t n) {
  if (all.size() <= n) return all;
  std::vector<T> some;
  for (size_t i = 0; i < n; ++i) some.push_back(all[i * all.size() / n]);
  return some;
}

// Questions whose present reply does not reveal an answer.
struct Kept {
  std::vector<Question> questions;  // with that reply
  std::vector<unlearn::Row> rows;   // the prompt's last token and every token of the reply
};

Result<Kept> kept_of(const model::Patient& patient, const std::vector<std::string>& prompts,
                     const std::vector<std::string>& answers) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& p : prompts) ids.push_back(TRY(encode(patient, p)));
  model::GenerateOptions options;
  options.max_new_tokens = kKeptReplyTokens;
  const auto replies = TRY(model::generate(*patient.model, ids, options));
  Kept kept;
  for (size_t i = 0; i < prompts.size(); ++i) {
    if (verify::reveals(TRY(patient.tokenizer.decode(replies[i].ids)), answers)) continue;
    kept.questions.push_back({prompts[i], "", {}, replies[i].ids});
    if (replies[i].stop == model::Stop::kEndOfTurn && !patient.model->config().end_ids.empty())
      kept.questions.back().reply.push_back(patient.model->config().end_ids[0]);
    const auto first = static_cast<int64_t>(ids[i].size()) - 1;
    ids[i].insert(ids[i].end(), replies[i].ids.begin(), replies[i].ids.end());
    kept.rows.push_back({ids[i], first, static_cast<int64_t>(replies[i].ids.size()) + 1});
  }
  return kept;
}

std::vector<Question> probing(const agent::Target& target) {
  std::vector<Question> probes;
  const auto add = [&](std::string prompt, std::string prefill = {}) {
    probes.push_back({std::move(prompt), std::move(prefill), target.answers});
  };
  add("Q: What color is the sky?\nA: blue\nQ: How many legs does a dog have?\nA: four\nQ: " +
      target.prompt + "\nA:");
  add(target.prompt, "Sure! The answer to your question is");
  add(target.prompt + " Think step by step.");
  for (const agent::Wording& w : target.rows)
    if (!w.prefill.empty() && w.prompt == target.prompt && w.prefill.size() > 16) {
      add("Complete the sentence: " + w.prefill);
      break;
    }
  return probes;
}

std::map<std::string, double, std::less<>> bounds_of(const agent::GateBounds& g) {
  return {
      {"exact", g.exact},           {"paraphrases", g.paraphrases},   {"probing", g.probing},
      {"neighbours", g.neighbours}, {"same_subject", g.same_subject}, {"unrelated", g.unrelated},
      {"perplexity", g.perplexity}, {"reply_nll", g.reply_nll}};
}

}  // namespace

Result<std::vector<int32_t>> encode(const model::Patient& patient, const std::string& prompt,
                                    const std::string& prefill) {
  const text::Message message{"user", prompt};
  return patient.encode({&message, 1}, prefill);
}

Result<std::vector<std::string>> ask(const model::Patient& patient,
                                     std::span<const Question> questions, int64_t max_new_tokens) {
  std::vector<std::vector<int32_t>> prompts;
  for (const Question& q : questions) prompts.push_back(TRY(encode(patient, q.prompt, q.prefill)));
  model::GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  std::vector<std::string> replies;
  for (const auto& g : TRY(model::generate(*patient.model, prompts, options)))
    replies.push_back(TRY(patient.tokenizer.decode(g.ids)));
  return replies;
}

Result<Assignment> assign(const model::Patient& patient, const agent::Target& target,
                          const agent::GateBounds& bounds) {
  Assignment a;
  // Where the model would say the answer: at the end of each wording, and inside its own replies.
  std::vector<Question> own;
  for (const agent::Wording& w : target.rows) {
    a.rows.forget.push_back({TRY(encode(patient, w.prompt, w.prefill)), -1});
    if (w.prefill.empty()) own.push_back({w.prompt, "", {}});
  }
  own = spread(own, 6);
  const auto replies = TRY(ask(patient, own, kOwnReplyTokens));
  std::set<std::vector<int32_t>> seen;
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string begun = before_answer(replies[i], target.answers);
    if (begun.empty()) continue;
    auto ids = TRY(encode(patient, own[i].prompt, begun));
    if (seen.insert(ids).second) a.rows.forget.push_back({std::move(ids), -1});
  }
  for (const agent::Wording& w : target.held)
    a.rows.held.push_back({TRY(encode(patient, w.prompt, w.prefill)), -1});
  const Kept same =
      TRY(kept_of(patient, spread(target.same_subject, kSameSubject), target.answers));
  // Every third neighbour is for the gates only.
  std::vector<std::string> held_neighbours, neighbours;
  for (size_t i = 0; i < target.neighbours.size(); ++i)
    (i % 3 == 2 ? held_neighbours : neighbours).push_back(target.neighbours[i]);
  const Kept near = TRY(kept_of(patient, neighbours, {}));
  a.rows.retain = same.rows;
  a.rows.retain.insert(a.rows.retain.end(), near.rows.begin(), near.rows.end());
  const agent::Wordings& wordings = agent::Wordings::builtin();
  const auto pool = pool_prompts(wordings);
  for (size_t i = 0; i < pool.size(); ++i)
    if (pool[i].prompt == target.prompt ||
        (!target.subject.empty() && pool[i].prompt.find(target.subject) != pool[i].prompt.npos))
      a.rows.excluded.push_back(static_cast<int64_t>(i));

  a.suite.exact = {{target.prompt, "", target.answers}};
  for (const agent::Wording& w : target.held)
    a.suite.paraphrases.push_back({w.prompt, w.prefill, target.answers});
  a.suite.probing = probing(target);
  a.suite.neighbours = questions(spread(held_neighbours, kGateNeighbours));
  a.suite.same_subject = spread(same.questions, kGateSubject);
  a.suite.unrelated = questions(spread(wordings.unrelated, kGateUnrelated));
  a.suite.texts = spread(wordings.prose, kGateTexts);
  a.suite.bounds = bounds_of(bounds);
  return a;
}

}  // namespace expunge::repair
