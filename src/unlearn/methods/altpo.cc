// AltPO (arXiv 2409.13474): preference optimisation of an answer that the model makes up itself
// over the answer to forget:
//   −(2/β) log σ(β (log π/ref(alternative) − log π/ref(answer))) + retain term.
// The alternatives are sampled from the model as it was, before the training: it is shown question
// and answer and asked to write another one with other facts. Several are made for each question,
// one is taken an epoch, as of dpo's refusals.
#include <algorithm>
#include <cmath>

#include "model/generate.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

using base::Result;

constexpr const char* kRequest =
    "Question: {}\nAnswer: {}\nNow make things up: write another answer to the question, as long "
    "as this one, in which every fact is a different one. It must be plausible, and it must not "
    "agree with the answer above. Write the new answer only.";

Tensor log_ratio(Part& part) {  // log π/ref of each answer [n]
  return part.example_sums(part.log_probs() - part.reference_log_probs());
}

Tensor loss(Minibatch& batch) {
  const double beta = batch.knobs.at("beta");
  const Tensor margin = beta * (log_ratio(batch.refusal) - log_ratio(batch.forget));  // [n]
  return batch.forget.mean_over_examples(at::log_sigmoid(margin)) * (-2 / beta) +
         retain_term(batch);
}

// The question with another answer in the old one's place, with the same end; a reply that is empty
// or says the same does not count.
std::optional<model::Example> alternative(const model::Example& old,
                                          const std::vector<int32_t>& reply,
                                          const model::Arch& config) {
  const auto answer = old.ids.begin() + static_cast<std::ptrdiff_t>(old.first);
  const auto is_end = [&](int32_t id) {
    return std::ranges::find(config.end_ids, id) != config.end_ids.end();
  };
  const bool ends = is_end(old.ids.back());
  if (reply.empty() || std::equal(answer, old.ids.end() - ends, reply.begin(), reply.end()))
    return std::nullopt;
  model::Example e{{old.ids.begin(), answer}, old.first};
  e.ids.insert(e.ids.end(), reply.begin(), reply.end());
  if (ends) e.ids.push_back(old.ids.back());
  return e;
}

// All prompts at once, so that they share passes. A question without a usable reply takes
// its refusals, if it has any.
Result<TrainingSet> with_alternatives(const Problem& problem, const Knobs& knobs,
                                      const base::Job& job) {
  TrainingSet set = *problem.training;
  const double wanted = knobs.at("alternatives");
  if (wanted != std::floor(wanted))
    return base::fail(base::Code::kUsage,
                      fmt::format("alternatives is {}, expected a whole number", wanted));
  const auto each = static_cast<size_t>(wanted);
  std::vector<std::vector<int32_t>> prompts;
  for (const text::QaItem& item : set.words) {
    TRY(job.check());
    const auto ids = TRY(set.encode(fmt::format(kRequest, item.question, item.answer)));
    prompts.insert(prompts.end(), each, ids);
  }
  job.report("making up other answers", 0, prompts.size());
  model::GenerateOptions options;
  options.max_new_tokens = 16;
  for (const model::Example& e : set.forget)
    options.max_new_tokens =
        std::max(options.max_new_tokens, static_cast<int64_t>(2 * e.n_predicted()));
  options.sampling.temperature = knobs.at("temperature");
  options.sampling.seed = problem.seed;
  const auto replies = TRY(model::generate(problem.model, prompts, options, job));
  const model::Arch& config = problem.model.arch();
  set.refusals.resize(set.forget.size());
  for (size_t i = 0; i < set.forget.size(); ++i) {
    std::vector<model::Example> made;
    for (size_t k = 0; k < each; ++k)
      if (auto e = alternative(set.forget[i], replies[i * each + k].ids, config)) {
        const auto room = static_cast<size_t>(config.context_length);
        if (e->ids.size() > room) e->ids.resize(room);
        made.push_back(std::move(*e));
      }
    if (!made.empty()) set.refusals[i] = std::move(made);
    if (set.refusals[i].empty())
      return base::fail(
          base::Code::kInvalid,
          fmt::format("the model makes up no other answer to '{}'", set.words[i].question),
          "raise the temperature, or take dpo, which uses refusals");
  }
  return set;
}

}  // namespace

extern const Method method_altpo;
const Method method_altpo{
    .name = "altpo",
    .citation = "AltPO, arXiv 2409.13474",
    .knobs = training_knobs(with_retain_knobs(
        {{"beta", 0.1, 1e-6, 100, "inverse temperature of the preference"},
         {"alternatives", 5, 1, 64, "other answers that are made up for each question"},
         {"temperature", 1, 0.01, 5, "at which they are sampled"}})),
    .how = Objective{.uses = {Uses::kRetain, Uses::kAlternative},
                     .loss = loss,
                     .prepare = with_alternatives},
};

}  // namespace expunge::unlearn
