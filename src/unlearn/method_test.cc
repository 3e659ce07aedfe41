// The contract test: what every method of the table owes its callers, on a tiny model that knows
// planted facts.
#include "unlearn/method_test.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

namespace expunge::unlearn {
namespace {

using base::Code;
using ::testing::HasSubstr;
using tests::answer;
using tests::Ids;
using tests::question;
using tests::subject_first;

// Means over the facts of one kind of rows, before against after.
struct Effect {
  double forget_before = 0, forget_after = 0;  // log-prob of the answer
  double retain_kl = 0, held_kl = 0;           // KL(before || after), nats
};

Effect effect_of(const edit::Edit& edit) {
  const auto base = tests::planted_model();
  const model::Model edited = edit::apply(*base, edit).value();
  Effect e;
  int n_retain = 0, n_held = 0;
  for (int32_t r = 0; r < tests::kRelations; ++r)
    for (int32_t s = 0; s < tests::kSubjects; ++s)
      for (const auto& prompt : {question(r, s), subject_first(r, s)}) {
        const Tensor before = tests::next_log_probs(*base, prompt),
                     after = tests::next_log_probs(edited, prompt);
        if (r == kRelation && s == kSubject) {
          e.forget_before += before[answer(r, s)].item<double>() / 2;
          e.forget_after += after[answer(r, s)].item<double>() / 2;
          continue;
        }
        const double kl = (before.exp() * (before - after)).sum().item<double>();
        (is_held(r, s) ? e.held_kl : e.retain_kl) += kl;
        ++(is_held(r, s) ? n_held : n_retain);
      }
  e.retain_kl /= n_retain;
  e.held_kl /= n_held;
  return e;
}

class Contract : public ::testing::TestWithParam<const Method*> {
 protected:
  const Method& method() const { return *GetParam(); }
  // The defaults are for models of language; the tiny one takes larger steps, and more pairs a
  // step.
  Knobs knobs(const Knobs& given = {}) const {
    if (!method().objective) return given;
    Knobs all = given;
    for (const auto& [name, value] :
         Knobs{{"lr", 2e-3}, {"epochs", 30}, {"warmup", 0}, {"decay", 0}})
      all.emplace(name, value);
    static const std::map<std::string_view, Knobs> kOwn = {
        {"asu", {{"temperature", 100}, {"retain_weight", 2}}},
        {"dpo", {{"retain_weight", 3}}},
        {"loku", {{"retain_weight", 2}, {"lora", 4}, {"lr", 1e-3}}},
        {"lunar", {{"layer", 1}, {"strength", 12}, {"lr", 0.01}, {"epochs", 100}}},
        {"rmu", {{"layer", 1}, {"steering", 20}, {"lr", 0.01}, {"retain_weight", 10}}},
        {"satimp", {{"beta1", 1}, {"retain_weight", 2}}}};
    if (const auto own = kOwn.find(method().name); own != kOwn.end())
      for (const auto& [name, value] : own->second) all.insert_or_assign(name, value);
    for (const auto& [name, value] : given) all.insert_or_assign(name, value);
    return all;
  }
  base::Result<edit::Edit> run(const Knobs& given = {}, const base::Job& job = {}) const {
    return propose(method(), problem_on(*model_), knobs(given), job);
  }
  bool keeps() const {  // has a term for what is to be kept
    return !method().objective ||
           std::ranges::find(method().needs, Needs::kRetainExamples) != method().needs.end();
  }
  std::shared_ptr<const model::Model> model_ = tests::planted_model();
};

TEST_P(Contract, ForgetsAndSparesTheRest) {
  const edit::Edit edit = run().value();
  const Effect e = effect_of(edit);
  EXPECT_GT(e.forget_before, -0.1);  // it was known
  EXPECT_LT(e.forget_after, e.forget_before - 2) << "retain " << e.retain_kl;
  // An edit that cannot tell questions apart disturbs the others as much as the forgotten one, a
  // ratio of one. Measured: redirect 0.29 and 0.05 nats, stamp 0.30 and 1.05, of a fall of 7; ihl
  // 0.28 and 0.98 of 6. A gradient method knows nothing of held facts: a lower bound for those.
  constexpr double kSelectivity = 5;
  const double held_selectivity = method().objective ? 2.5 : kSelectivity;
  const double fall = e.forget_before - e.forget_after;
  if (!keeps()) return;
  EXPECT_LT(e.retain_kl * kSelectivity, fall);
  EXPECT_LT(e.held_kl * held_selectivity, fall);
}

TEST_P(Contract, ProposingLeavesTheModelAlone) {
  const std::string before = model_->weights_hash();
  ASSERT_TRUE(run());
  EXPECT_EQ(model_->weights_hash(), before);
}

TEST_P(Contract, StrengthZeroIsNoEdit) {
  const char* strength = method().objective ? "epochs" : "strength";
  const edit::Edit edit = run({{strength, 0}}).value();
  EXPECT_TRUE(edit.is_zero());
  EXPECT_EQ(edit.provenance["method"], method().name);
  EXPECT_FALSE(run()->is_zero());
}

TEST_P(Contract, SameSeedSameEdit) {
  EXPECT_EQ(edit::serialise(run().value()).value(), edit::serialise(run().value()).value());
}

TEST_P(Contract, RecordsHowItWasMade) {
  const edit::Edit edit = run().value();
  EXPECT_EQ(edit.provenance["method"], method().name);
  EXPECT_EQ(edit.provenance["seed"], 7);
  const Knobs given = knobs();
  for (const Knob& k : method().knobs) {
    const auto it = given.find(k.name);
    EXPECT_EQ(edit.provenance["knobs"][std::string(k.name)].get<double>(),
              it == given.end() ? k.fallback : it->second);
  }
}

TEST_P(Contract, TouchesOnlyTheTensorsThatItNames) {
  const edit::Edit edit = run().value();
  ASSERT_TRUE(edit::validate(*model_, edit));
  const model::Model edited = edit::apply(*model_, edit).value();
  std::set<std::string> declared;
  for (const edit::Delta& d : edit.deltas) declared.insert(d.tensor);
  for (const auto& [name, param] : model_->weights()) {
    EXPECT_EQ(declared.contains(name), !at::equal(param->value, edited.param(name).value)) << name;
    EXPECT_TRUE(method().objective || !declared.contains(name) || name.find(".mlp.") != name.npos)
        << name;
  }
}

TEST_P(Contract, KnobsAreNamedInErrors) {
  for (const Knob& k : method().knobs) {
    EXPECT_LE(k.low, k.fallback) << k.name;
    EXPECT_GE(k.high, k.fallback) << k.name;
    EXPECT_FALSE(k.help.empty()) << k.name;
    for (const double bad : {k.low - 1, k.high + 1, std::nan("")}) {
      const auto refused = run({{std::string(k.name), bad}});
      ASSERT_FALSE(refused) << k.name;
      EXPECT_EQ(refused.error().code, Code::kUsage);
      EXPECT_THAT(refused.error().message, HasSubstr(std::string(k.name)));
    }
  }
  for (const Knob& k : method().knobs) {
    const std::string name(k.name);
    EXPECT_EQ(knob_value(method(), name, "0.5").value(), 0.5);
    EXPECT_EQ(knob_value(method(), name, "no such").error().code, Code::kUsage);
    EXPECT_FALSE(knob_value(method(), name, ""));
    if (k.choices.empty()) continue;
    // A name for every value.
    EXPECT_EQ(static_cast<double>(k.choices.size()), k.high - k.low + 1) << k.name;
    for (size_t i = 0; i < k.choices.size(); ++i)
      EXPECT_EQ(knob_value(method(), name, k.choices[i]).value(), k.low + static_cast<double>(i));
    EXPECT_FALSE(complete(method(), {{name, k.low + 0.5}}));
    EXPECT_THAT(knob_value(method(), name, "no such").error().message,
                HasSubstr(std::string(k.choices[0])));
  }
  const auto unknown = run({{"no_such_knob", 1}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUsage);
  EXPECT_THAT(unknown.error().message, HasSubstr("no_such_knob"));
}

TEST_P(Contract, MissingNeedsAreErrors) {
  Problem nothing = problem_on(*model_);
  nothing.forget.clear();
  const TrainingSet none;
  nothing.training = &none;
  EXPECT_EQ(propose(method(), nothing, {}).error().code, Code::kInvalid);
  for (const Needs need : method().needs) {
    Problem p = problem_on(*model_);
    if (need == Needs::kRetain) p.retain.clear();
    if (need == Needs::kRefusal) p.refusal.clear();
    if (need == Needs::kBackground) p.background = nullptr;
    TrainingSet set = training_set();
    p.training = &set;
    if (need == Needs::kExamples) set.forget.clear();
    if (need == Needs::kRetainExamples) set.retain.clear();
    if (need == Needs::kRefusalExamples) set.refusals.clear();
    const auto refused = propose(method(), p, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(method().name)));
  }
}

TEST_P(Contract, CanBeCancelled) {
  background();  // learned before
  const base::Job job;
  job.cancel();
  base::request_cancel();
  const auto cancelled = run({}, job);
  base::clear_cancel();
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Code::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Methods, Contract, ::testing::ValuesIn(methods()),
                         [](const auto& test) { return std::string(test.param->name); });

TEST(Methods, AreFoundByName) {
  std::set<std::string_view> names;
  for (const Method* m : methods()) {
    EXPECT_EQ(find_method(m->name).value(), m);
    EXPECT_FALSE(m->citation.empty());
    EXPECT_TRUE(names.insert(m->name).second) << m->name;
  }
  const auto missing = find_method("oblivion");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kUsage);
  EXPECT_THAT(missing.error().hint, HasSubstr("stamp"));
}

}  // namespace
}  // namespace expunge::unlearn
