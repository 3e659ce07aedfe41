// A stage on the base model, resumed by an edited one, against the edited model run whole.
#include "model/stage.h"

#include <gmock/gmock.h>

#include "model/role.h"
#include "tiny.h"

namespace expunge::model {
namespace {

using tests::Ids;

struct TwoModels {
  std::shared_ptr<const Model> base, edited;  // they differ from `layer` on
};
TwoModels two_models(int64_t layer) {
  tensor::start(1);
  const auto base = tests::random_model(5);
  std::map<std::string, Tensor> changed;
  for (const char* module : {"mlp.down_proj", "self_attn.o_proj"}) {
    const std::string name = tests::layer_weight(layer, module);
    changed[name] = base->param(name).value() * -1.4;
  }
  return {base, tests::shared(base->with(changed))};
}

const std::vector<Ids> kPrompts{{9, 2, 3, 4, 5}, {8, 2, 3}, {10, 2, 3, 4, 5, 6, 7, 8, 9}};

std::vector<Ids> whole(const Model& model, const std::vector<Ids>& prompts, int64_t n) {
  GenerateOptions options;
  options.max_new_tokens = n;
  std::vector<Ids> replies;
  const auto generated = generate(model, prompts, options).value();
  for (const Generation& g : generated) replies.push_back(g.ids);
  return replies;
}

void expect_close(const Tensor& got, const Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LT((got - want).norm().item<double>(), 1e-5 * want.norm().item<double>());
}
Tensor plain(const Model& model, const Ids& ids) {  // [T,V]
  const c10::InferenceMode no_grad;
  return plain_logits(model, forward_plain(model, ids));
}

TEST(Stage, EqualsTheEditedModelRunWhole) {
  for (const int64_t layer : {1, 2}) {
    const TwoModels m = two_models(layer);
    auto stage = Stage::prepare(*m.base, kPrompts, layer).value();
    // In any order, again and again: no state of one model reaches the other.
    for (const Model* model : {m.edited.get(), m.base.get(), m.edited.get()}) {
      EXPECT_EQ(stage.generate(*model, 6).value(), whole(*model, kPrompts, 6));
      const std::vector<int64_t> tails{0, 2, 4};
      const Tensor logits = stage.logits(*model, tails).value();
      ASSERT_EQ(logits.size(0), 9);
      expect_close(logits.narrow(0, 0, 1), plain(*model, kPrompts[0]).narrow(0, 4, 1));
      expect_close(logits.narrow(0, 1, 3), plain(*model, kPrompts[1]));
      expect_close(logits.narrow(0, 4, 5), plain(*model, kPrompts[2]).narrow(0, 4, 5));
    }
    EXPECT_NE(whole(*m.base, kPrompts, 6), whole(*m.edited, kPrompts, 6));
  }
}

TEST(Stage, TheSharedBeginningIsRunOnce) {
  const TwoModels m = two_models(2);
  const std::vector<Ids> prompts{{1, 2, 3, 9, 5}, {1, 2, 3, 8}, {1, 2, 3, 8, 4}};
  auto stage = Stage::prepare(*m.base, prompts, 2).value();
  EXPECT_EQ(stage.n_shared(), 3U);
  EXPECT_EQ(stage.generate(*m.base, 5).value(), whole(*m.base, prompts, 5));
}

TEST(Stage, KnownStatesNeedNoPassBelowTheLayer) {
  const TwoModels m = two_models(2);
  std::vector<Tensor> entering;
  for (const Ids& ids : kPrompts) {
    const c10::InferenceMode no_grad;
    Trace trace;
    Ids longer = ids;  // states of more tokens than the prompt has do no harm
    longer.push_back(1);
    forward_plain(*m.base, longer, tracing(2, trace));
    entering.push_back(trace.entering);
  }
  auto stage = Stage::prepare(*m.base, kPrompts, 2, entering).value();
  const std::vector<int64_t> tails{4, 0, 0};
  const Tensor logits = stage.logits(*m.edited, tails).value();
  expect_close(logits.narrow(0, 0, 5), plain(*m.edited, kPrompts[0]));
  EXPECT_THROW((void)stage.generate(*m.edited, 3), base::Bug);
}

TEST(Stage, TheCallerMayStopAndCancel) {
  const TwoModels m = two_models(1);
  auto stage = Stage::prepare(*m.base, kPrompts, 1).value();
  const auto stopped = stage
                           .generate(*m.base, 6, {},
                                     [](size_t i, std::span<const int32_t> ids) {
                                       return i == 1 && ids.size() == 1 ? Next::kStop : Next::kGoOn;
                                     })
                           .value();
  auto want = whole(*m.base, kPrompts, 6);
  want[1].resize(1);
  EXPECT_EQ(stopped, want);
  const base::Job job;
  job.cancel();
  EXPECT_EQ(stage.generate(*m.base, 6, job).error().code, base::Code::kCancelled);
  EXPECT_EQ(Stage::prepare(*m.base, kPrompts, 1, {}, job).error().code, base::Code::kCancelled);
  EXPECT_FALSE(Stage::prepare(*m.base, {{}}, 1));
  auto none = Stage::prepare(*m.base, {}, 1).value();
  EXPECT_TRUE(none.generate(*m.base, 3).value().empty());
}

}  // namespace
}  // namespace expunge::model
