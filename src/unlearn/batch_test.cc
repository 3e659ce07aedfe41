// The steps of a training: micro-batches add up to the whole step, and references are what they
// claim.
#include "unlearn/batch.h"

#include <gtest/gtest.h>

#include "tiny.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

double l2(const Tensor& t) { return t.norm().item<double>(); }
double relative(const Tensor& got, const Tensor& want) { return l2(got - want) / l2(want); }

// A tiny model some way off its reference, and three examples of each kind. One matrix is trained.
struct TinyStep {
  std::shared_ptr<const model::Model> reference = tests::random_model(5);
  model::Variables variables;
  std::vector<model::Example> examples;
  BatchExamples whole;
  std::string name = "model.layers.1.mlp.down_proj.weight";
  explicit TinyStep(double distance) {
    std::mt19937_64 rng(3);
    const Tensor w = reference->param(name).value();
    variables[name].weight = w + tests::random_tensor(rng, {w.size(0), w.size(1)}, 1) * distance;
    tensor::train(variables[name].weight);
    for (size_t i = 0; i < 9; ++i) {
      model::Example e{{0}, 2 + i % 3};
      while (e.ids.size() < e.first + 1 + i * 5 % 7)
        e.ids.push_back(static_cast<int32_t>(rng() % 64));
      examples.push_back(e);
    }
    for (size_t i = 0; i < 9; ++i)
      (i < 3 ? whole.forget : i < 6 ? whole.retain : whole.refusal).push_back(&examples[i]);
  }
  BatchExamples some(size_t begin, size_t end) const {
    const auto of = [&](const std::vector<const model::Example*>& all) {
      return std::vector(all.begin() + static_cast<std::ptrdiff_t>(begin),
                         all.begin() + static_cast<std::ptrdiff_t>(end));
    };
    return {of(whole.forget), of(whole.retain), of(whole.refusal)};
  }
  struct Result {
    double loss;
    Tensor gradient;
    edit::FitState state;
  };
  Result run(const Method& method, const std::vector<BatchExamples>& micro_batches) const {
    const Objective& objective = *method.objective();
    const Knobs knobs =
        complete(method, objective.last_layer ? Knobs{{"layer", 1}} : Knobs{}).value();
    Batches batches(*reference, variables,
                    objective.last_layer ? objective.last_layer(*reference, knobs) : -1);
    Result result{0, variables.at(name).weight.grad(), {}};
    result.gradient.zero_();
    for (int step = 0; step < 2; ++step)
      for (size_t i = 0; i < micro_batches.size(); ++i) {
        MicroBatch micro_batch(batches, micro_batches[i], count(micro_batches));
        Minibatch batch{*reference,
                        knobs,
                        11,
                        i + 1 == micro_batches.size(),
                        result.state,
                        micro_batch.forget(),
                        micro_batch.retain(),
                        micro_batch.refusal()};
        const Tensor loss = objective.loss(batch);
        result.loss += loss.item<double>();
        tensor::backward(loss);
      }
    result.gradient = result.gradient.clone();
    return result;
  }
};

// Over two steps, for what is carried from one to the next.
TEST(Steps, InMicroBatchesAreTheWholeStep) {
  const TinyStep step(0.1);
  for (const Method* m : methods()) {
    // LUNAR's direction comes from a micro-batch's examples: a step in micro-batches is a different
    // one.
    if (!m->objective() || m->name == "lunar") continue;
    const auto one = step.run(*m, {step.whole}),
               cut = step.run(*m, {step.some(0, 2), step.some(2, 3)});
    // Float32 sums in another order.
    EXPECT_LT(std::abs(cut.loss - one.loss), 5e-6 * std::max(1.0, std::abs(one.loss))) << m->name;
    EXPECT_LT(relative(cut.gradient, one.gradient), 5e-6) << m->name;
    ASSERT_EQ(cut.state.size(), one.state.size()) << m->name;
    for (size_t i = 0; i < one.state.size(); ++i)
      EXPECT_NEAR(cut.state[i], one.state[i], 1e-5) << m->name;
  }
}

// Every kind's rows, one prompt at a time by the plain pass.
TEST(Steps, PartsGiveTheirOwnExamples) {
  const TinyStep step(0);
  Batches batches(*step.reference, step.variables, -1);
  MicroBatch micro_batch(batches, step.whole, count({step.whole}));
  for (const auto& [part, own] : {std::pair(&micro_batch.forget(), &step.whole.forget),
                                  std::pair(&micro_batch.retain(), &step.whole.retain),
                                  std::pair(&micro_batch.refusal(), &step.whole.refusal)}) {
    std::vector<float> rows, sums, lengths;
    for (const model::Example* e : *own) {
      lengths.push_back(static_cast<float>(e->n_predicted()));
      sums.push_back(0);
      for (size_t t = e->first; t < e->ids.size(); ++t) {
        const auto prompt = std::span(e->ids).first(t);
        rows.push_back(static_cast<float>(
            tests::log_prob(*step.reference, {prompt.begin(), prompt.end()}, e->ids[t])));
        sums.back() += rows.back();
      }
    }
    const auto tensor = [](const std::vector<float>& v) {
      return tensor::from_floats(v, {static_cast<int64_t>(v.size())});
    };
    EXPECT_TRUE(at::equal(part->lengths(), tensor(lengths)));
    EXPECT_LT(relative(part->reference_log_probs(), tensor(rows)), 2e-6);
    const Tensor log_probs = part->log_probs().detach();
    EXPECT_LT(relative(log_probs, tensor(rows)), 2e-6);
    EXPECT_LT(relative(part->example_sums(log_probs), tensor(sums)), 2e-6);
  }
}

TEST(Steps, ModelAtItsReferenceHasNoDistillationLoss) {
  for (const double distance : {0.0, 0.1}) {
    const TinyStep step(distance);
    Batches batches(*step.reference, step.variables, -1);
    MicroBatch micro_batch(batches, step.whole, count({step.whole}));
    const Tensor kl =
        distillation(micro_batch.retain(), [](const Tensor& logits, int64_t) { return logits; });
    tensor::backward(kl);
    const double gradient = l2(step.variables.at(step.name).weight.grad());
    if (distance == 0) {
      EXPECT_NEAR(kl.item<double>(), 0, 1e-6);
      EXPECT_LT(gradient, 1e-6);
    } else {
      EXPECT_GT(kl.item<double>(), 1e-3);
      EXPECT_GT(gradient, 1e-2);
    }
  }
}

// ASU's teacher: attention logits over a temperature are those of query matrices over it, rotary
// positions being linear.
TEST(Steps, SmoothedReferenceDividesTheAttentionLogits) {
  const TinyStep step(0);
  Batches batches(*step.reference, {}, -1);
  MicroBatch micro_batch(batches, step.whole, count({step.whole}));
  auto weights = tests::random_weights(tests::tiny_arch(), 5);
  for (auto& [name, w] : weights)
    if (name.find("q_proj") != name.npos) w = w / 2.5;
  const auto smoothed = model::Model::from_weights(tests::tiny_arch(), weights).value();
  Batches twin(smoothed, {}, -1);
  MicroBatch twins(twin, step.whole, count({step.whole}));
  const Tensor got = micro_batch.forget().reference_states({2.5});
  EXPECT_LT(relative(got, twins.forget().reference_states()), 2e-6);
  EXPECT_GT(relative(got, micro_batch.forget().reference_states()), 1e-2);
}

}  // namespace
}  // namespace expunge::unlearn
