// Losses of the methods and their gradients over given logits: against PyTorch
// (tests/golden/losses.py), and in the limits that the papers name.
#include "unlearn/objective_test.h"

namespace expunge::unlearn {
namespace {

// --- PyTorch -------------------------------------------------------------------------------------

class Losses : public ::testing::TestWithParam<base::Json> {};

TEST_P(Losses, AndTheirGradientsArePyTorchs) {
  const base::Json& spec = GetParam();
  const auto name = spec.at("name").get<std::string>();
  Knobs knobs;
  for (const auto& [knob, value] : spec.at("knobs").items()) knobs[knob] = value.get<double>();
  GivenStep step;
  const double loss = step.loss(name.substr(0, name.find('.')), knobs);
  // Ten times what float32 costs in PyTorch, at least one rounding for each of a few terms.
  constexpr double kLeast = 2e-7;
  const double want = spec.at("loss").get<double>();
  EXPECT_LT(std::abs(loss / want - 1), 10 * std::max(kLeast, spec.at("floor").get<double>()))
      << loss << " " << want;
  const base::Json& floors = spec.at("gradient_floors");
  const bool of_logits = name != "rmu" && name != "lunar";
  for (auto& [kind, part] : {std::pair("forget", &step.forget), std::pair("retain", &step.retain),
                             std::pair("refusal", &step.refusal)}) {
    const Tensor got = (of_logits ? part->logits : part->states).grad();
    EXPECT_EQ(l2((of_logits ? part->states : part->logits).grad()), 0) << kind;
    if (!floors.contains(kind)) {
      EXPECT_EQ(l2(got), 0) << kind;
      continue;
    }
    const Tensor expected = golden_matrix(name + "." + kind, of_logits ? "vocabulary" : "width");
    EXPECT_LT(relative(got, expected), 10 * std::max(kLeast, floors.at(kind).get<double>()))
        << kind;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Golden, Losses, ::testing::ValuesIn(golden().value("cases").get<std::vector<base::Json>>()),
    [](const auto& test) {
      auto name = test.param.at("name").template get<std::string>();
      std::ranges::replace(name, '.', '_');
      return name;
    });

TEST(Losses, EveryObjectiveHasAGolden) {
  std::string names;
  for (const base::Json& spec : golden().value("cases"))
    names += " " + spec.at("name").get<std::string>();
  for (const Method* m : methods()) {
    if (!m->objective()) continue;
    EXPECT_NE(names.find(" " + std::string(m->name)), names.npos) << m->name;
  }
}

// --- limits --------------------------------------------------------------------------------------

// The closed form of LoKU, in float64: a the true token, b the runner-up,
// da = p_a (p_b − p_a + 1), db = p_b (p_b − p_a − 1), dv = p_v (p_b − p_a).
TEST(InvertedHinge, GradientIsTheClosedForm) {
  const Given forget("forget");
  const Tensor logits = forget.logits.detach().to(at::kDouble);
  const int64_t n = logits.size(0), v = logits.size(1);
  const tensor::RowFunction rows = inverted_hinge_rows(forget.targets());
  const Tensor expected = at::empty_like(logits), p = logits.softmax(1);
  const auto at = [v](const Tensor& t, int64_t i, int64_t j) -> double& {
    return t.data_ptr<double>()[i * v + j];
  };
  const Tensor value = rows.value(logits, 0);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t a = forget.targets().data_ptr<int64_t>()[i];
    int64_t b = a == 0 ? 1 : 0;
    for (int64_t j = 0; j < v; ++j)
      if (j != a && at(p, i, j) > at(p, i, b)) b = j;
    const double pa = at(p, i, a), pb = at(p, i, b);
    for (int64_t j = 0; j < v; ++j) at(expected, i, j) = at(p, i, j) * (pb - pa);
    at(expected, i, a) = pa * (pb - pa + 1);
    at(expected, i, b) = pb * (pb - pa - 1);
    EXPECT_NEAR(value.data_ptr<double>()[i], 1 + pa - pb, 1e-12);
  }
  const auto largest = [&](const Tensor& got) {
    return (got - expected).abs().max().item<double>();
  };
  Tensor own = logits.clone();
  rows.gradient(own, 0, at::ones({n}, tensor::f64()));
  EXPECT_LT(largest(own), 1e-9);
  // And LibTorch's own backward pass through the value.
  const Tensor leaf = logits.clone().requires_grad_(true);
  tensor::backward(rows.value(leaf, 0).sum());
  EXPECT_LT(largest(leaf.grad()), 1e-9);
}

// β to 0: the slope of −(2/β) log σ(−β r) in r is 2 σ(β r), so 1: ascent on the sums over answers.
// GA takes the mean over tokens, so the factor is tokens / examples. The rest is of order β r.
TEST(Limits, NpoOfASmallBetaIsGradientAscent) {
  GivenStep step;
  step.loss("ga", {});
  const Tensor ascent = step.forget.logits.grad().clone();
  step.loss("npo", {{"beta", 1e-6}, {"retain_weight", 0}});
  const double factor = static_cast<double>(step.forget.targets().size(0)) /
                        static_cast<double>(step.forget.n_examples());
  EXPECT_LT(relative(step.forget.logits.grad(), ascent * factor), 1e-5);
  step.loss("npo", {{"beta", 1}, {"retain_weight", 0}});
  EXPECT_GT(relative(step.forget.logits.grad(), ascent * factor), 0.1);
}

// The same without a reference: every answer's mean weighs the same, however long it is.
TEST(Limits, SimNpoOfASmallBetaIsAscentOnMeansOfAnswers) {
  GivenStep step;
  step.loss("simnpo", {{"beta", 1e-6}, {"gamma", 0}, {"retain_weight", 0}});
  const Tensor got = step.forget.logits.grad().clone();
  step.forget.logits.mutable_grad().zero_();
  tensor::backward(
      (step.forget.example_sums(step.forget.log_probs()) / step.forget.lengths()).mean());
  EXPECT_LT(relative(got, step.forget.logits.grad()), 1e-5);
}

TEST(Limits, WeightedAscentOfPowerZeroIsGradientAscent) {
  GivenStep step;
  const double ga = step.loss("ga", {});
  const Tensor ascent = step.forget.logits.grad().clone();
  for (const auto& [name, knobs] :
       {std::pair<const char*, Knobs>{"wga", {{"alpha_weight", 0}, {"retain_weight", 0}}},
        std::pair<const char*, Knobs>{"satimp",
                                      {{"beta1", 0}, {"beta2", 0}, {"retain_weight", 0}}}}) {
    EXPECT_NEAR(step.loss(name, knobs), ga, 1e-6) << name;
    EXPECT_LT(relative(step.forget.logits.grad(), ascent), 1e-6) << name;
  }
}

// KL(p ‖ p) = 0, and so is its gradient, whose entries would be of the size of 1 / rows.
TEST(Limits, DistillationToTheModelItselfIsNothing) {
  GivenStep step;
  const double apart = step.loss("ga_kl", {{"retain_weight", 1}}) - step.loss("ga", {});
  EXPECT_GT(apart, 0.1);
  step.retain.reference = step.retain.logits.detach().clone();
  EXPECT_NEAR(step.loss("ga_kl", {{"retain_weight", 1}}), step.loss("ga", {}), 1e-6);
  step.loss("ga_kl", {{"retain_weight", 1}});
  EXPECT_LT(l2(step.retain.logits.grad()), 1e-6);
  step.forget.reference = step.forget.logits.detach().clone();
  EXPECT_NEAR(step.loss("undial", {{"strength", 0}}), 0, 1e-6);
  EXPECT_LT(l2(step.forget.logits.grad()), 1e-6);
}

// λ ← max(0, λ + step (CE_r − bound)); a step's loss uses the λ from before it.
TEST(Limits, PduCarriesItsMultiplierFromStepToStep) {
  GivenStep step;
  const auto ce = cross_entropy(step.retain).item<double>();
  Knobs knobs{{"multiplier", 2}, {"dual_step", 0.5}, {"bound", ce - 1}};
  const double first = step.loss("pdu", knobs);
  EXPECT_NEAR(step.state.at(0), 2.5, 1e-6);
  EXPECT_NEAR(step.loss("pdu", knobs) - first, 0.5 * ce, 1e-5);
  EXPECT_NEAR(step.state.at(0), 3, 1e-6);
  knobs["bound"] = ce + 2;
  step.loss("pdu", knobs);
  EXPECT_NEAR(step.state.at(0), 2, 1e-6);
  knobs["bound"] = 100;
  step.loss("pdu", knobs);
  EXPECT_EQ(step.state.at(0), 0);
  EXPECT_GT(l2(step.retain.logits.grad()), 0);
  step.loss("pdu", knobs);
  EXPECT_EQ(l2(step.retain.logits.grad()), 0);
}

}  // namespace
}  // namespace expunge::unlearn
