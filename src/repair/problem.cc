#include "repair/problem.h"

#include <algorithm>
#include <set>

#include "model/names.h"
#include "repair/preparation.h"

namespace expunge::repair {
namespace {

using base::Result;
using verify::Question;

constexpr size_t kGateNeighbours = 8, kGateSubject = 8, kSameSubject = 18;
constexpr int64_t kKeptReplyTokens = 10, kOwnReplyTokens = 14;

// The reply up to where the first answer begins; empty if it begins the reply or is not there.
std::string before_answer(const std::string& reply, const std::vector<std::string>& answers) {
  size_t first = reply.npos;
  for (const std::string& a : answers) first = std::min(first, reply.find(a));
  if (first == reply.npos) return {};
  while (first > 0 && reply[first - 1] == ' ') --first;
  return reply.substr(0, first);
}

// Questions whose present reply does not reveal an answer.
struct Kept {
  std::vector<Question> questions;     // with that reply
  std::vector<unlearn::Row> rows;      // the prompt's last token and the tokens of the reply
  std::vector<tensor::Tensor> states;  // of those rows, MLP inputs
  void append(const Kept& other) {
    rows.insert(rows.end(), other.rows.begin(), other.rows.end());
    states.insert(states.end(), other.states.begin(), other.states.end());
  }
};

Result<Kept> kept_of(const model::ChatModel& patient, const std::vector<std::string>& prompts,
                     const std::vector<std::string>& answers, int64_t layer) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& p : prompts) ids.push_back(TRY(encode(patient, p)));
  model::GenerateOptions options;
  options.max_new_tokens = kKeptReplyTokens;
  options.trace_layer = layer;
  const auto replies = TRY(model::generate(patient.model, ids, options));
  Kept kept;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto& [reply, stop, trace] = replies[i];
    if (verify::reveals(TRY(patient.tokenizer.decode(reply)), answers)) continue;
    kept.questions.push_back(
        {prompts[i], "", {}, verify::reply_ids(patient.model, replies[i]), trace.entering});
    const auto first = static_cast<int64_t>(ids[i].size()) - 1;
    const int64_t count = trace.mlp_input.size(0) - first;
    ids[i].insert(ids[i].end(), reply.begin(), reply.begin() + (count - 1));
    kept.rows.push_back({ids[i], first, count});
    kept.states.push_back(trace.mlp_input.narrow(0, first, count));
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

int64_t examined_layer(const unlearn::PreparedPtr& prepared, std::span<const edit::Edit> edits) {
  int64_t layer = unlearn::first_layer(prepared);
  for (const edit::Edit& e : edits)
    for (const edit::Delta& d : e.deltas)
      layer = std::min(layer, model::layer_of(d.tensor).value_or(0));
  return std::max<int64_t>(layer, 1);
}

Result<std::vector<int32_t>> encode(const model::ChatModel& patient, const std::string& prompt,
                                    const std::string& prefill) {
  const text::Message message{"user", prompt};
  return patient.encode({&message, 1}, prefill);
}

Result<std::vector<std::string>> ask(const model::ChatModel& patient,
                                     std::span<const Question> questions, int64_t max_new_tokens) {
  std::vector<std::vector<int32_t>> prompts;
  for (const Question& q : questions) prompts.push_back(TRY(encode(patient, q.prompt, q.prefill)));
  model::GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  std::vector<std::string> replies;
  for (const auto& g : TRY(model::generate(patient.model, prompts, options)))
    replies.push_back(TRY(patient.tokenizer.decode(g.ids)));
  return replies;
}

Result<Assignment> assign(const model::ChatModel& patient, const agent::Target& target,
                          const agent::GateBounds& bounds, const verify::References& references,
                          int64_t layer) {
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
  Kept kept =
      TRY(kept_of(patient, spread(target.same_subject, kSameSubject), target.answers, layer));
  a.suite.same_subject = spread(kept.questions, kGateSubject);
  // Every third neighbour is for the gates only.
  std::vector<std::string> held_neighbours, neighbours;
  for (size_t i = 0; i < target.neighbours.size(); ++i)
    (i % 3 == 2 ? held_neighbours : neighbours).push_back(target.neighbours[i]);
  kept.append(TRY(kept_of(patient, neighbours, {}, layer)));
  a.rows.retain = std::move(kept.rows);
  if (!kept.states.empty()) a.rows.retain_states = at::cat(kept.states);
  a.rows.related = related_prompts(agent::Wordings::builtin(), target);

  a.suite.exact = {{target.prompt, "", target.answers}};
  a.suite.exact[0].replacement = target.replacement;
  for (const agent::Wording& w : target.held) {
    a.suite.paraphrases.push_back({w.prompt, w.prefill, target.answers});
    a.suite.paraphrases.back().replacement = target.replacement;
  }
  a.suite.probing = probing(target);
  a.suite.neighbours =
      TRY(kept_of(patient, spread(held_neighbours, kGateNeighbours), {}, layer)).questions;
  a.suite.unrelated = references.unrelated;
  a.suite.texts = references.texts;
  a.suite.bounds = bounds_of(bounds);
  return a;
}

}  // namespace expunge::repair
