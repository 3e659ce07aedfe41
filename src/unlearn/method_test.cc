// The contract test: what every method of the table guarantees, on a tiny model that knows
// planted facts.
#include "unlearn/method_test.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "model/role.h"
#include "unlearn/train.h"

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
  Knobs knobs(const Knobs& given = {}) const { return tiny_knobs(method(), given); }
  base::Result<edit::Edit> run(const Knobs& given = {}) const {
    return propose(method(), problem_on(*model_, method()), knobs(given));
  }
  bool keeps() const {  // has a retain term
    const auto needed = needs(method());
    return !method().objective() ||
           std::ranges::find(needed, Needs::kRetainExamples) != needed.end();
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
  const double held_selectivity = method().objective() ? 2.5 : kSelectivity;
  const double fall = e.forget_before - e.forget_after;
  if (!keeps()) return;
  EXPECT_LT(e.retain_kl * kSelectivity, fall);
  EXPECT_LT(e.held_kl * held_selectivity, fall);
}

// By bits and by address: no weight is even copied.
TEST_P(Contract, ProposingLeavesTheModelAlone) {
  const auto addresses = [&] {
    std::map<std::string, const void*> all;
    for (const auto& [name, param] : model_->weights()) all[name] = param->value().data_ptr();
    return all;
  };
  const std::string before = model_->weights_hash();
  const auto where = addresses();
  ASSERT_TRUE(run());
  EXPECT_EQ(model_->weights_hash(), before);
  EXPECT_EQ(addresses(), where);
  for (const auto& [name, param] : model_->weights())
    EXPECT_FALSE(param->value().requires_grad()) << name;
}

TEST_P(Contract, StrengthZeroIsNoEdit) {
  const char* strength = method().objective() ? "epochs" : "strength";
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

// A closed form: its modules, from its first layer on. A gradient method: what its objective or the
// knobs select to train.
TEST_P(Contract, TouchesOnlyWhatItDeclares) {
  const edit::Edit edit = run().value();
  ASSERT_TRUE(edit::validate(*model_, edit));
  ASSERT_FALSE(edit.deltas.empty());
  const Knobs all = complete(method(), knobs()).value();
  for (const edit::Delta& d : edit.deltas) {
    if (const Objective* objective = method().objective()) {
      const auto names = objective->trained            ? objective->trained(*model_, all)
                         : trains_all(*objective, all) ? edit::all_tensors(*model_)
                                                       : trained_matrices(*model_, all);
      EXPECT_THAT(names, ::testing::Contains(d.tensor));
      continue;
    }
    const int64_t layer = model::layer_of(model_->arch(), d.tensor).value_or(-1);
    EXPECT_GE(layer, first_layer(prepared(method()))) << d.tensor;
    std::vector<std::string> declared;
    for (const model::Role role : std::get<ClosedForm>(method().how).roles)
      if (model::has(model_->arch(), role))
        declared.push_back(model::weight_name(model_->arch(), role, layer));
    EXPECT_THAT(declared, ::testing::Contains(d.tensor));
  }
}

// Every neuron that an edit lists as occupied lies in the model, and no other edit takes it.
TEST_P(Contract, OccupiesWhatNobodyElseDoes) {
  Problem p = problem_on(*model_, method());
  std::set<std::pair<int64_t, int64_t>> taken;
  for (int i = 0; i < 2; ++i) {
    const edit::Edit edit = propose(method(), p, knobs()).value();
    for (const edit::Occupied& o : edit.occupied) {
      EXPECT_LT(o.layer, model_->arch().n_layers);
      for (const int64_t j : o.neurons) {
        EXPECT_LT(j, model_->arch().d_ff);
        EXPECT_TRUE(taken.emplace(o.layer, j).second) << j;
      }
    }
    p.occupied.insert(p.occupied.end(), edit.occupied.begin(), edit.occupied.end());
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
  Problem nothing = problem_on(*model_, method());
  nothing.forget.clear();
  const TrainingSet none;
  nothing.training = &none;
  EXPECT_EQ(propose(method(), nothing, {}).error().code, Code::kInvalid);
  for (const Needs need : needs(method())) {
    Problem p = problem_on(*model_, method());
    if (need == Needs::kRetain) p.retain.clear();
    if (need == Needs::kRefusal) p.refusal.clear();
    if (need == Needs::kPreparation) p.prepared = nullptr;
    TrainingSet set = training_set();
    p.training = &set;
    if (need == Needs::kExamples) set.forget.clear();
    if (need == Needs::kRetainExamples) set.retain.clear();
    if (need == Needs::kRefusalExamples) set.refusals.clear();
    if (need == Needs::kWords) set.words.clear();
    const auto refused = propose(method(), p, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr(std::string(method().name)));
  }
}

TEST_P(Contract, CanBeCancelled) {
  const Problem problem = problem_on(*model_, method());
  const base::Job job;
  job.cancel();
  const auto asked = propose(method(), problem, knobs(), job);
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, Code::kCancelled);
}

// What was learned of a model survives storing, bit for bit.
TEST_P(Contract, PreparationsAreKeptExactly) {
  if (!method().preparation) return;
  const std::string kept = prepared(method())->serialise();
  const PreparedPtr back = method().preparation->deserialise(kept).value();
  EXPECT_EQ(back->serialise(), kept);
  EXPECT_EQ(first_layer(back), first_layer(prepared(method())));
  EXPECT_FALSE(method().preparation->deserialise(kept.substr(0, kept.size() / 2)));
  EXPECT_FALSE(method().preparation->deserialise(""));
  Problem p = problem_on(*model_, method());
  const std::string before = edit::serialise(propose(method(), p, knobs()).value()).value();
  p.prepared = back;
  EXPECT_EQ(edit::serialise(propose(method(), p, knobs()).value()).value(), before);
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
