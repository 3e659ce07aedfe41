// The forward pass against Hugging Face transformers on tiny models whose weights are a formula
// (tests/golden/model.py): logits, taps and gradients, in the plain and in the packed pass.
#include <gtest/gtest.h>

#include "golden.h"
#include "model/forward.h"
#include "model/names.h"

namespace expunge::model {
namespace {

using tests::Golden;
using tests::relative_l2;

const Golden& golden() {
  static const Golden g("model");
  return g;
}

// A chirp seeded by the name's bytes; `weight` of model.py.
Tensor formula(const std::string& name, const std::vector<int64_t>& shape) {
  int64_t seed = 0;
  for (const char c : name) seed += c;
  seed %= 997;
  Tensor t = at::empty(shape, tensor::f32());
  for (int64_t k = 0; k < t.numel(); ++k) {
    const auto i = static_cast<double>(k);
    const double wave = std::sin(0.37 * static_cast<double>(seed) + 1.7 * i + 0.013 * i * i);
    t.data_ptr<float>()[k] = static_cast<float>(
        shape.size() == 1 ? 1 + 0.1 * wave : wave * 1.5 / std::sqrt(static_cast<double>(shape[1])));
  }
  return t;
}

std::vector<float> floats(const Tensor& t) {
  const Tensor c = t.detach().contiguous();
  return {c.data_ptr<float>(), c.data_ptr<float>() + c.numel()};
}

class Case : public testing::TestWithParam<const char*> {
 protected:
  Case() {
    config_ = config_from_hf(spec().at("config"), {}).value();
    std::map<std::string, Tensor> weights;
    for (const auto& [name, shape] : expected_tensors(config_))
      weights[name] = formula(name, shape);
    model_ = std::make_shared<const Model>(Model::from_weights(config_, weights).value());
    ids_ = golden().ids(key("ids"));
  }
  const base::Json& spec() const { return golden().value("cases").at(GetParam()); }
  std::string key(const std::string& what) const { return std::string(GetParam()) + "." + what; }
  // Relative L2 below ten times what transformers in float32 is off its own float64.
  void expect_golden(const Tensor& got, const std::string& what) const {
    const double floor = std::max(spec().at("floors").at(what).get<double>(), 0x1p-25);
    EXPECT_LT(relative_l2(floats(got), golden().floats(key(what))), 10 * floor)
        << key(what) << ", floor " << floor;
  }
  // A hook that compares every tap that the golden file contains.
  Hook comparing(int& seen) const {
    return [this, &seen](Point point, int64_t layer, Tensor value) {
      const char* name = point == Point::kMlpInput      ? "mlp_input"
                         : point == Point::kDownInput   ? "down_input"
                         : point == Point::kBlockOutput ? "block_output"
                                                        : nullptr;
      if (name) {
        expect_golden(value, std::to_string(layer) + "." + name);
        ++seen;
      }
      return value;
    };
  }
  Config config_;
  std::shared_ptr<const Model> model_;
  std::vector<int32_t> ids_;
};

TEST_P(Case, PlainPassLogitsAndTaps) {
  const c10::InferenceMode no_grad;
  int seen = 0;
  const Tensor hidden = forward_plain(*model_, ids_, comparing(seen));
  EXPECT_EQ(seen, 3 * config_.n_layers);
  expect_golden(plain_logits(*model_, hidden), "logits");
}

TEST_P(Case, PackedPassLogitsAndTaps) {
  Runner runner(*model_);
  Sequence sequence;
  const Chunk chunk{&sequence, ids_};
  int seen = 0;
  const Tensor hidden = runner.forward({&chunk, 1}, comparing(seen));
  EXPECT_EQ(seen, 3 * config_.n_layers);
  expect_golden(runner.logits(hidden), "logits");
}

TEST_P(Case, GradientsOfTheLoss) {
  const std::vector<std::string> names = {
      "model.layers.1.mlp.down_proj.weight", "model.layers.0.self_attn.k_proj.weight",
      "model.layers.2.input_layernorm.weight", "model.embed_tokens.weight"};
  std::map<std::string, Tensor> leaves;
  for (const std::string& name : names) {
    leaves[name] = model_->param(name).value.clone().requires_grad_(true);
  }
  const Model model = model_->with(leaves);
  const Tensor logits = plain_logits(model, forward_plain(model, ids_));
  const Tensor loss = at::cross_entropy_loss(logits.narrow(0, 0, logits.size(0) - 1),
                                             tensor::from_ids({ids_.begin() + 1, ids_.end()}));
  expect_golden(loss, "loss");
  loss.backward();
  for (const std::string& name : names) expect_golden(leaves[name].grad(), "grad." + name);
}

INSTANTIATE_TEST_SUITE_P(Transformers, Case,
                         testing::Values("llama2", "gqa_tied", "llama3", "mistral"),
                         [](const auto& i) { return std::string(i.param); });

}  // namespace
}  // namespace expunge::model
