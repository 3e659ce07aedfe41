// Every method on every family: a tiny model of each that knows planted facts.
#include <gmock/gmock.h>

#include "unlearn/method_test.h"
#include "unlearn/train.h"

namespace expunge::unlearn {
namespace {

using Of = std::tuple<std::string, const Method*>;

class EveryFamily : public ::testing::TestWithParam<Of> {
 protected:
  const Method& method() const { return *std::get<1>(GetParam()); }
  std::shared_ptr<const model::Model> model_ = tests::planted_model_of(std::get<0>(GetParam()));
};

// Tensors that the method may change: a closed form's roles, an objective's trained matrices.
std::vector<std::string> declared(const model::Model& model, const Method& method,
                                  const Knobs& knobs) {
  if (const Objective* objective = method.objective())
    return objective->trained              ? objective->trained(model, knobs)
           : trains_all(*objective, knobs) ? edit::all_tensors(model)
                                           : trained_matrices(model, knobs);
  const auto& roles = std::get<ClosedForm>(method.how).roles;
  return edit::layer_matrices(model, roles);
}

TEST_P(EveryFamily, ForgetsWithWhatItDeclares) {
  const tests::Ids prompt = tests::question(kRelation, kSubject);
  const int32_t answer = tests::answer(kRelation, kSubject);
  const double before = tests::log_prob(*model_, prompt, answer);
  ASSERT_GT(before, -0.5) << "the fact was not learned";
  Knobs knobs = tiny_knobs(method());
  // These steer states, attention or weights of a scale that is the architecture's own, by knobs
  // chosen on the planted llama: more steps, and some fall is enough.
  const bool steers = method().name == "asu" || method().name == "lunar" || method().name == "rmu";
  if (steers || method().name == "satimp") knobs["epochs"] *= 3;
  const auto edit = propose(method(), problem_on(*model_, method()), knobs);
  ASSERT_TRUE(edit) << edit.error().message;
  ASSERT_TRUE(edit::validate(*model_, *edit));
  const auto may = declared(*model_, method(), complete(method(), knobs).value());
  for (const edit::Delta& d : edit->deltas) EXPECT_THAT(may, ::testing::Contains(d.tensor));
  const model::Model edited = edit::apply(*model_, *edit).value();
  EXPECT_LT(tests::log_prob(edited, prompt, answer), before - (steers ? 0.1 : 1.0));
}

INSTANTIATE_TEST_SUITE_P(Methods, EveryFamily,
                         ::testing::Combine(::testing::ValuesIn(tests::family_names()),
                                            ::testing::ValuesIn(methods())),
                         [](const auto& i) {
                           return std::get<0>(i.param) + "_" +
                                  std::string(std::get<1>(i.param)->name);
                         });

}  // namespace
}  // namespace expunge::unlearn
