// Adapters on every family: merged into the weights they are what they were beside them.
#include <gtest/gtest.h>

#include "edit/trainable_parameters.h"
#include "model/packed.h"
#include "tiny.h"

namespace expunge::edit {
namespace {

using model::Role;

constexpr Role kAdaptable[] = {Role::kQ,    Role::kK,  Role::kV,   Role::kO,
                               Role::kGate, Role::kUp, Role::kDown};
const tests::Ids kText = {9, 3, 60, 21, 7, 33, 14, 50, 2, 41, 18, 5};  // longer than the windows

class EveryFamily : public ::testing::TestWithParam<std::string> {
 protected:
  // Logits of the text with adapters beside the weights.
  Tensor logits(const model::Variables& variables) const {
    tests::Ids ids = kText;
    ids.push_back(0);  // the last token has no row
    const model::Example example{ids, 1};
    const model::Example* const one = &example;
    const c10::NoGradGuard no_grad;
    return model::plain_logits(*model_,
                               model::forward_packed(*model_, variables, model::pack({&one, 1})));
  }
  std::shared_ptr<const model::Model> model_ = tests::wave_model(tests::tiny_arch_of(GetParam()));
};

TEST_P(EveryFamily, AMergedAdapterIsTheAdapterBesideTheWeights) {
  const auto names = layer_matrices(*model_, kAdaptable);
  for (const auto& [name, shape] : model::expected_tensors(model_->arch())) {
    const bool matrix = shape.size() == 2 && model::layer_of(model_->arch(), name);
    EXPECT_EQ(std::ranges::count(names, name), matrix) << name;  // no matrix of a layer is left out
  }
  TrainableParameters t = TrainableParameters::lora(*model_, names, 4, 8, 1).value();
  const auto floats = tests::floats(tests::logits(*model_, kText));
  EXPECT_LT(tests::relative_l2(tests::floats(logits(t.variables())), floats), 1e-5);
  std::mt19937_64 rng(3);
  for (const Tensor& leaf : t.leaves()) {
    const c10::NoGradGuard no_grad;
    leaf.add_(tests::random_tensor(rng, leaf.sizes().vec(), 0.2));
  }
  const auto beside = tests::floats(logits(t.variables()));
  EXPECT_GT(tests::relative_l2(beside, floats), 0.1);
  const Edit edit = t.edit();
  ASSERT_TRUE(validate(*model_, edit));
  const model::Model merged = apply(*model_, edit).value();
  // Products in another order.
  EXPECT_LT(tests::relative_l2(tests::floats(tests::logits(merged, kText)), beside), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, ::testing::ValuesIn(tests::family_names()),
                         [](const auto& i) { return i.param; });

}  // namespace
}  // namespace expunge::edit
