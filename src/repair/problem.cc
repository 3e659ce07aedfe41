#include "repair/problem.h"

#include <algorithm>
#include <set>

#include "model/generate.h"
#include "model/prefix_plan.h"
#include "model/role.h"
#include "model/stage.h"
#include "repair/preparation.h"
#include "verify/reveals.h"

namespace expunge::repair {
namespace {

using base::Result;
using verify::Question;

constexpr size_t kGateNeighbours = 8, kGateSubject = 8, kSameSubject = 18;
constexpr int64_t kOwnReplyTokens = 14;

// The reply up to where the first answer begins; empty if it begins the reply or is not there.
std::string before_answer(const std::string& reply, const std::vector<std::string>& answers) {
  size_t first = reply.npos;
  for (const std::string& a : answers) first = std::min(first, reply.find(a));
  if (first == reply.npos) return {};
  while (first > 0 && reply[first - 1] == ' ') --first;
  return reply.substr(0, first);
}

// A question whose present reply is kept.
struct KeptQuestion {
  Question question;         // with that reply, and the states that enter the layer
  unlearn::TokenSpan rows;   // the prompt's last token and the tokens of the reply
  tensor::Tensor mlp_input;  // of those rows [n,F]
  bool reveals = false;      // the reply gives away an answer that is to be forgotten
};

// A prompt with its reply but the reply's last token, which is only predicted.
std::vector<int32_t> run_of(std::vector<int32_t> prompt, const std::vector<int32_t>& reply) {
  prompt.insert(prompt.end(), reply.begin(), reply.end() - 1);
  return prompt;
}

// Each sequence's activations at the layer. What they have in common is computed once, and nothing
// after the layer.
Result<std::vector<model::Trace>> traces(const model::Model& model,
                                         std::span<const std::vector<int32_t>> ids, int64_t layer,
                                         const base::Job& job) {
  std::vector<model::PlanInput> inputs;
  for (const auto& one : ids) {
    TRY(model::check_prompt(model.arch(), one));
    inputs.push_back({one, one.size() - 1});
  }
  return tensor::guarded([&]() -> Result<std::vector<model::Trace>> {
    model::Runner runner(model);
    const auto plan = plan_prefixes(inputs, {.sharing = model::Sharing::kNeighbours});
    model::PlannedRun run(runner, inputs, plan);
    model::Trace begun;
    run.begin(model::tracing(layer, begun), layer);
    std::vector<model::Trace> list(ids.size());
    for (const model::PrefixPlan::Pass& pass : plan.passes) {
      TRY(job.check());
      model::Trace rows;
      run.pass(pass, model::tracing(layer, rows), layer);
      for (const model::PrefixPlan::Step& step : pass.steps) {
        const tensor::Tensor index = at::tensor(at::ArrayRef<int64_t>(step.rows), tensor::i64());
        const auto whole = [&](const tensor::Tensor& beginning, const tensor::Tensor& value) {
          const tensor::Tensor own = value.index_select(0, index);
          return beginning.defined() ? at::cat({beginning, own}) : own;  // [n,D]
        };
        list[step.input] = {whole(begun.entering, rows.entering),
                            whole(begun.mlp_input, rows.mlp_input)};
      }
    }
    return list;
  });
}

// Replies under a model that has edits: those of the unedited one if it still gives them, which
// is known from the states that enter the layer; the others are asked again.
base::Status update(const model::Model& edited, const std::vector<std::vector<int32_t>>& prompts,
                    int64_t layer, std::vector<std::vector<int32_t>>& replies,
                    std::vector<model::Trace>& states, const base::Job& job) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<tensor::Tensor> entering;
  std::vector<int64_t> tails;
  for (size_t i = 0; i < prompts.size(); ++i) {
    ids.push_back(run_of(prompts[i], replies[i]));
    entering.push_back(states[i].entering);
    tails.push_back(static_cast<int64_t>(replies[i].size()) - 1);
  }
  auto stage = TRY(model::Stage::prepare(edited, ids, layer, entering, job));
  const tensor::Tensor best = TRY(stage.logits(edited, tails, job)).argmax(1);
  const int64_t* next = best.data_ptr<int64_t>();
  std::vector<std::vector<int32_t>> again;
  std::vector<size_t> which;
  for (size_t i = 0; i < prompts.size(); next += replies[i++].size()) {
    if (std::ranges::equal(replies[i], std::span(next, replies[i].size()))) continue;
    again.push_back(prompts[i]);
    which.push_back(i);
  }
  if (again.empty()) return {};
  model::GenerateOptions options;
  options.max_new_tokens = KeptReplies::kTokens;
  options.trace_layer = layer;
  const auto fresh = TRY(model::generate(edited, again, options, job));
  for (size_t k = 0; k < which.size(); ++k) {
    replies[which[k]] = verify::reply_ids(fresh[k]);
    states[which[k]] = fresh[k].trace;
  }
  return {};
}

// All prompts in one batch: a step of decoding costs as much for one as for many.
Result<std::vector<KeptQuestion>> ask_kept(const model::ChatModel& chat_model, KeptReplies& known,
                                           const std::vector<std::string>& prompts,
                                           const std::vector<std::string>& answers, int64_t layer,
                                           const base::Job& job) {
  std::vector<KeptQuestion> kept;
  if (prompts.empty()) return kept;
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& p : prompts) ids.push_back(TRY(encode(chat_model, p)));
  auto replies = TRY(known.of(ids, job));
  std::vector<std::vector<int32_t>> runs;
  for (size_t i = 0; i < ids.size(); ++i) runs.push_back(run_of(ids[i], replies[i]));
  auto states = TRY(traces(chat_model.model, runs, layer, job));
  if (!chat_model.model.edited().empty())
    TRY(update(chat_model.model, ids, layer, replies, states, job));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto first = static_cast<int64_t>(ids[i].size()) - 1;
    const int64_t count = states[i].mlp_input.size(0) - first;
    const std::string reply = TRY(chat_model.tokenizer.decode(replies[i]));
    kept.push_back({{prompts[i], "", {}, replies[i], states[i].entering},
                    {run_of(ids[i], replies[i]), first, count},
                    states[i].mlp_input.narrow(0, first, count),
                    verify::reveals(reply, answers)});
  }
  return kept;
}

// What must be kept, as rows to edit with and as questions of the gates: every third neighbour is
// for the gates only.
base::Status keep(const model::ChatModel& chat_model, const agent::Target& target,
                  KeptReplies& known, int64_t layer, const base::Job& job, Assignment& a) {
  const std::vector<std::string> same = spread(target.same_subject, kSameSubject);
  std::vector<std::string> held, prompts = same;
  for (size_t i = 0; i < target.neighbours.size(); ++i)
    (i % 3 == 2 ? held : prompts).push_back(target.neighbours[i]);
  held = spread(held, kGateNeighbours);
  const size_t n_rows = prompts.size();
  prompts.insert(prompts.end(), held.begin(), held.end());
  std::vector<KeptQuestion> kept =
      TRY(ask_kept(chat_model, known, prompts, target.answers, layer, job));
  std::vector<Question> same_subject;
  std::vector<tensor::Tensor> states;
  for (size_t i = 0; i < kept.size(); ++i) {
    KeptQuestion& k = kept[i];
    if (i >= n_rows) {
      a.questions.neighbours.push_back(std::move(k.question));
      continue;
    }
    if (i < same.size() && k.reveals) continue;
    if (i < same.size()) same_subject.push_back(k.question);
    a.rows.retain.push_back(std::move(k.rows));
    states.push_back(std::move(k.mlp_input));
  }
  a.questions.same_subject = spread(same_subject, kGateSubject);
  if (!states.empty()) a.rows.retain_states = at::cat(states);
  return {};
}

// The beginning of a sentence that the answer ends, if the plan has one.
std::string completion_of(const agent::Target& target) {
  constexpr size_t kSentence = 17;  // bytes; a shorter one is not a sentence about the subject
  for (const agent::Wording& w : target.rows)
    if (w.prompt == target.prompt && w.prefill.size() >= kSentence) return w.prefill;
  return {};
}

// The states of the unedited model at the layer that the method begins at are valid at no other.
verify::BaseReplies replies_at(const Baseline::Facts& known, int64_t layer) {
  if (layer == unlearn::first_layer(known.prepared)) return known.replies;
  verify::BaseReplies plain;
  for (const verify::Question& q : known.replies.unrelated)
    plain.unrelated.push_back({q.prompt, "", {}, q.reply});
  for (const verify::Text& t : known.replies.texts) plain.texts.push_back({t.ids});
  return plain;
}

}  // namespace

bool tells_apart(const std::string& answer) {
  static constexpr std::string_view kEverywhere[] = {
      "a",  "an", "the", "is",   "are", "was", "of",  "to", "in",  "it",  "and", "or",
      "on", "at", "by",  "that", "i",   "you", "for", "as", "not", "but", "be",  "with"};
  std::string word;
  for (const char c : answer)
    if (std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80)
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return !word.empty() && std::ranges::find(kEverywhere, word) == std::end(kEverywhere);
}

int64_t examined_layer(const model::Arch& arch, const unlearn::PreparedPtr& prepared,
                       std::span<const edit::Edit> edits) {
  int64_t layer = unlearn::first_layer(prepared);
  for (const edit::Edit& e : edits)
    for (const edit::Delta& d : e.deltas)
      layer = std::min(layer, model::layer_of(arch, d.tensor).value_or(0));
  return std::max<int64_t>(layer, 1);
}

Result<std::vector<int32_t>> encode(const model::ChatModel& chat_model, const std::string& prompt,
                                    const std::string& prefill) {
  const text::Message message{"user", prompt};
  return chat_model.encode({&message, 1}, prefill);
}

Result<std::vector<std::string>> ask(const model::ChatModel& chat_model,
                                     std::span<const Question> questions, int64_t max_new_tokens,
                                     const base::Job& job) {
  std::vector<std::vector<int32_t>> prompts;
  for (const Question& q : questions)
    prompts.push_back(TRY(encode(chat_model, q.prompt, q.prefill)));
  model::GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  std::vector<std::string> replies;
  for (const auto& g : TRY(model::generate(chat_model.model, prompts, options, job)))
    replies.push_back(TRY(chat_model.tokenizer.decode(g.ids)));
  return replies;
}

Result<Assignment> assign(const model::ChatModel& chat_model, const agent::Target& target,
                          const verify::Bounds& bounds, Baseline& baseline,
                          const Baseline::Facts& known, int64_t layer, const base::Job& job) {
  const verify::BaseReplies of_base = replies_at(known, layer);
  KeptReplies& asked = baseline.replies();
  Assignment a;
  // Where the model would give the answer: at the end of each wording, and inside its own replies.
  std::vector<Question> own;
  for (const agent::Wording& w : target.rows) {
    a.rows.forget.push_back({TRY(encode(chat_model, w.prompt, w.prefill)), -1});
    if (w.prefill.empty()) own.push_back({w.prompt, "", {}});
  }
  own = spread(own, 6);
  const auto replies = TRY(ask(chat_model, own, kOwnReplyTokens, job));
  std::set<std::vector<int32_t>> seen;
  for (size_t i = 0; i < own.size(); ++i) {
    const std::string begun = before_answer(replies[i], target.answers);
    if (begun.empty()) continue;
    auto ids = TRY(encode(chat_model, own[i].prompt, begun));
    if (seen.insert(ids).second) a.rows.forget.push_back({std::move(ids), -1});
  }
  for (const agent::Wording& w : target.held)
    a.rows.held.push_back({TRY(encode(chat_model, w.prompt, w.prefill)), -1});
  TRY(keep(chat_model, target, asked, layer, job, a));
  a.rows.related = related_prompts(baseline.wordings(), target);

  a.questions.completion = completion_of(target);
  a.questions.exact = {{target.prompt, "", target.answers}};
  a.questions.exact[0].replacement = target.replacement;
  for (const agent::Wording& w : target.held) {
    a.questions.paraphrases.push_back({w.prompt, w.prefill, target.answers});
    a.questions.paraphrases.back().replacement = target.replacement;
  }
  a.questions.unrelated = of_base.unrelated;
  a.questions.texts = of_base.texts;
  a.questions.layer = layer;
  a.questions.bounds = bounds;
  return a;
}

}  // namespace expunge::repair
