#include "unlearn/train.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "model/role.h"
#include "unlearn/batch.h"

namespace expunge::unlearn {
namespace {

using base::Code;
using base::fail;
using base::Result;

using model::Role;

constexpr Role kAttention[] = {Role::kQ, Role::kK, Role::kV, Role::kO};
constexpr Role kMlp[] = {Role::kGate, Role::kUp, Role::kDown};
constexpr Role kQv[] = {Role::kQ, Role::kV};
constexpr Role kDown[] = {Role::kDown};
constexpr Role kAll[] = {Role::kQ,    Role::kK,  Role::kV,   Role::kO,
                         Role::kGate, Role::kUp, Role::kDown};
constexpr std::span<const Role> kModules[] = {kAll, kAttention, kMlp, kQv, kDown};

// Uniform in 0 .. n-1, the same on every machine.
size_t below(std::mt19937_64& rng, size_t n) { return static_cast<size_t>(rng() % n); }

void shuffle(std::vector<size_t>& order, std::mt19937_64& rng) {
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(rng, i)]);
}

bool same_prompt(const model::Example& a, const model::Example& b) {
  return std::ranges::equal(std::span(a.ids).first(a.first), std::span(b.ids).first(b.first));
}
// Where examples of another prompt begin. Neighbours with the same prompt stay neighbours, so
// that a pass computes it once.
std::vector<size_t> prompt_starts(const std::vector<model::Example>& examples) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < examples.size(); ++i)
    if (i == 0 || !same_prompt(examples[i - 1], examples[i])) starts.push_back(i);
  return starts;
}

class Training {
 public:
  Training(const Objective& objective, const Problem& problem, const Knobs& knobs,
           const base::Job& job)
      : objective_(objective),
        problem_(problem),
        set_(*problem.training),
        knobs_(knobs),
        job_(job) {
    prompt_starts_ = prompt_starts(set_.forget);
    batch_ = static_cast<int64_t>(knobs.at("batch"));
    const auto n = static_cast<int64_t>(set_.forget.size());
    steps_per_epoch_ = (n + batch_ - 1) / batch_;
    for (const Uses use : objective.uses) (use == Uses::kRetain ? retain_ : refusal_) = true;
  }

  Result<edit::Edit> run() {
    const model::Model& model = problem_.model;
    edit::TrainableParameters parameters = TRY(begin());
    tensor::give_memory_back();
    if (group()) TRY(group()->broadcast(parameters.leaves()));
    if (problem_.run.before) TRY(problem_.run.before(parameters));
    edit::FitOptions options = fit_options();
    options.after_step = [&](int64_t step) -> base::Status {
      if (!problem_.run.after_epoch || (step + 1) % steps_per_epoch_ != 0) return {};
      return problem_.run.after_epoch((step + 1) / steps_per_epoch_, parameters);
    };
    Batches batches(model, parameters.variables(),
                    objective_.last_layer ? objective_.last_layer(model, knobs_) : -1);
    const edit::Fitted fitted =
        TRY(edit::fit(parameters, options, job_, [&](int64_t step, edit::FitState& state) {
          return gradients(step, batches, parameters, state);
        }));
    tensor::give_memory_back();
    if (problem_.run.done) problem_.run.done(fitted);
    edit::Edit edit = parameters.edit();
    if (objective_.finish) edit = objective_.finish(std::move(edit), knobs_);
    edit.provenance = {{"losses", fitted.losses},
                       {"gradient_norms", fitted.gradient_norms},
                       {"steps", options.n_steps},
                       {"forget_examples", set_.forget.size()},
                       {"retain_examples", set_.retain.size()}};
    return edit;
  }

 private:
  Result<edit::TrainableParameters> begin() const {
    const model::Model& model = problem_.model;
    if (objective_.begin) return objective_.begin(problem_, knobs_, job_);
    if (!problem_.run.adapters.empty())
      return edit::TrainableParameters::continued(model, problem_.run.adapters);
    const auto rank = static_cast<int64_t>(knobs_.at("lora"));
    const double alpha = knobs_.at("alpha");
    std::vector<std::string> names = objective_.trained ? objective_.trained(model, knobs_)
                                     : trains_all(objective_, knobs_)
                                         ? edit::all_tensors(model)
                                         : trained_matrices(model, knobs_);
    if (rank == 0) return edit::TrainableParameters::full(model, std::move(names));
    return edit::TrainableParameters::lora(model, std::move(names), rank,
                                           alpha > 0 ? alpha : 2 * static_cast<double>(rank),
                                           problem_.seed);
  }

  edit::FitOptions fit_options() const {
    edit::FitOptions o;
    const auto steps = [&](double epochs) {
      return std::llround(epochs * static_cast<double>(steps_per_epoch_));
    };
    o.n_steps = steps(knobs_.at("epochs"));
    o.warmup_steps = std::min<int64_t>(steps(knobs_.at("warmup")), o.n_steps);
    o.lr = knobs_.at("lr");
    o.schedule = knobs_.at("schedule") == 0 ? edit::Schedule::kConstant : edit::Schedule::kLinear;
    o.weight_decay = knobs_.at("decay");
    o.clip_norm = knobs_.at("clip");
    o.checkpoint = problem_.run.checkpoint;
    o.group = group();
    return o;
  }

  std::vector<size_t> order_of_epoch(std::mt19937_64& rng) const {
    std::vector<size_t> prompts(prompt_starts_.size());
    std::iota(prompts.begin(), prompts.end(), size_t{0});
    shuffle(prompts, rng);
    std::vector<size_t> order;
    for (const size_t p : prompts) {
      const size_t end = p + 1 < prompt_starts_.size() ? prompt_starts_[p + 1] : set_.forget.size();
      for (size_t i = prompt_starts_[p]; i < end; ++i) order.push_back(i);
    }
    return order;
  }

  // The step's examples: those to forget in an order that the epoch draws, each with an example to
  // keep and a refusal drawn for it. A function of seed and step alone.
  BatchExamples examples_of(int64_t step) const {
    const int64_t epoch = step / steps_per_epoch_;
    std::mt19937_64 rng(problem_.seed * 0x9E3779B97F4A7C15U + static_cast<uint64_t>(epoch));
    const std::vector<size_t> order = order_of_epoch(rng);
    std::vector<size_t> partners(order.size()), answers(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      if (retain_) partners[i] = below(rng, set_.retain.size());
      if (refusal_) answers[i] = below(rng, set_.refusals[order[i]].size());
    }
    BatchExamples own;
    const auto first = static_cast<size_t>(step % steps_per_epoch_ * batch_);
    const size_t end = std::min(order.size(), first + static_cast<size_t>(batch_));
    for (size_t i = first; i < end; ++i) {
      own.forget.push_back(&set_.forget[order[i]]);
      if (retain_) own.retain.push_back(&set_.retain[partners[i]]);
      if (refusal_) own.refusal.push_back(&set_.refusals[order[i]][answers[i]]);
    }
    return own;
  }

  Result<double> gradients(int64_t step, Batches& batches,
                           const edit::TrainableParameters& parameters,
                           edit::FitState& state) const {
    double total = 0;
    const size_t size = group() ? static_cast<size_t>(group()->size()) : 1;
    const size_t rank = group() ? static_cast<size_t>(group()->rank()) : 0;
    const std::vector<BatchExamples> micro_batches =
        divide(examples_of(step), objective_.in_order ? 1 : size);
    const Counts counts = count(micro_batches);
    for (size_t i = 0; i < micro_batches.size(); ++i) {
      if (rank != (objective_.in_order ? 0 : i % size)) continue;
      if (!group()) TRY(job_.check());  // the processes of a group stop together, between steps
      MicroBatch micro_batch(batches, micro_batches[i], counts);
      Minibatch view{problem_.model,
                     knobs_,
                     problem_.seed,
                     i + 1 == micro_batches.size(),
                     state,
                     micro_batch.forget(),
                     micro_batch.retain(),
                     micro_batch.refusal()};
      const Tensor loss = objective_.loss(view);
      total += loss.item<double>();
      tensor::backward(loss);
    }
    return group() ? summed(parameters, total) : total;
  }
  // Means are over the whole step, so gradients and losses of the processes' micro-batches add up.
  Result<double> summed(const edit::TrainableParameters& parameters, double loss) const {
    std::vector<Tensor> sums = {at::full({1}, loss, tensor::f64())};
    for (const Tensor& leaf : parameters.leaves()) sums.push_back(leaf.grad());
    TRY(group()->sum(sums));
    return sums[0].item<double>();
  }
  tensor::ProcessGroup* group() const { return problem_.run.group; }

  const Objective& objective_;
  const Problem& problem_;
  const TrainingSet& set_;
  const Knobs& knobs_;
  const base::Job& job_;
  std::vector<size_t> prompt_starts_;
  int64_t batch_, steps_per_epoch_;
  bool retain_ = false, refusal_ = false;
};

// The mean over rows, of which each answer's first counts first_weight times.
Tensor weighted_cross_entropy(Minibatch& batch) {
  Part& part = batch.forget;
  const double weight = batch.knobs.at("first_weight");
  if (weight == 1) return cross_entropy(part);
  const Tensor log_probs = part.log_probs();                                       // [rows]
  const Tensor first = (part.lengths().cumsum(0) - part.lengths()).to(at::kLong);  // [n]
  const Tensor weights = at::ones_like(log_probs).index_fill_(0, first, weight);
  return -part.mean_over_rows(log_probs * weights);
}

}  // namespace

bool trains_all(const Objective& objective, const Knobs& knobs) {
  return !objective.trained && !objective.begin && knobs.at("lora") == 0 &&
         knobs.at("modules") == 0 && knobs.at("from_layer") == 0;
}

std::vector<std::string> trained_matrices(const model::Model& model, const Knobs& knobs) {
  return edit::layer_matrices(model, kModules[static_cast<size_t>(knobs.at("modules"))],
                              static_cast<int64_t>(knobs.at("from_layer")));
}

const Method& finetuning() {
  static const Method kMethod{
      .name = "finetune",
      .citation = "cross-entropy on the answers",
      .knobs = training_knobs(
          {{"first_weight", 1, 1, 1000, "of an answer's first token beside its others"}},
          {.lr = 2e-5, .epochs = 5}),
      .how = Objective{.loss = weighted_cross_entropy},
  };
  return kMethod;
}

Result<edit::Edit> train(const Objective& objective, const Problem& problem, const Knobs& knobs,
                         const base::Job& job) {
  for (const char* whole : {"batch", "lora", "from_layer"})
    if (knobs.at(whole) != std::floor(knobs.at(whole)))
      return fail(Code::kUsage,
                  fmt::format("{} is {}, expected a whole number", whole, knobs.at(whole)));
  auto edit = tensor::guarded([&] { return Training(objective, problem, knobs, job).run(); });
  tensor::give_memory_back();
  return edit;
}

}  // namespace expunge::unlearn
