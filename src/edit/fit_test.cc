#include "edit/fit.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "model/names.h"
#include "tiny.h"

namespace expunge::edit {
namespace {

using base::Code;
using ::testing::HasSubstr;

const std::string kDown = model::layer_weight(1, "mlp.down_proj"), kNorm = "model.norm.weight";

// ½ |w − target|² of every leaf, with target 1.
base::Result<double> towards_one(Trained& trained) {
  double loss = 0;
  for (const Tensor& leaf : trained.leaves()) {
    const Tensor gap = leaf.detach() - 1;
    leaf.mutable_grad().add_(gap);
    loss += gap.square().sum().item<double>() / 2;
  }
  return loss;
}

class FitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("expunge-fit-{}", ::getpid());
    std::filesystem::create_directories(folder_);
    options_.n_steps = 20;
    options_.lr = 0.02;
    options_.warmup_steps = 5;
  }
  void TearDown() override {
    base::clear_cancel();
    std::filesystem::remove_all(folder_);
  }
  Trained trained() const { return Trained::full(*model_, {kDown, kNorm}).value(); }
  base::Result<Fitted> run(Trained& t) const {
    return fit(t, options_, [&](int64_t, FitState&) { return towards_one(t); });
  }
  std::shared_ptr<const model::Model> model_ = tests::random_model(3);
  std::filesystem::path folder_;
  FitOptions options_;
};

TEST_F(FitTest, DescendsAndLeavesTheModelAlone) {
  const std::string before = model_->weights_hash();
  Trained t = trained();
  const Fitted fitted = run(t).value();
  ASSERT_EQ(fitted.losses.size(), 20U);
  EXPECT_LT(fitted.losses.back(), 0.8 * fitted.losses.front());
  EXPECT_EQ(model_->weights_hash(), before);
  const Edit edit = t.edit();
  ASSERT_EQ(edit.deltas.size(), 2U);
  ASSERT_TRUE(validate(*model_, edit));
  const model::Model edited = edit::apply(*model_, edit).value();
  // base + (learnt − base) rounds once more.
  for (const auto& [name, v] : t.variables())
    EXPECT_TRUE(at::allclose(edited.param(name).value, v.weight.detach(), 1e-6, 1e-7)) << name;
}

TEST_F(FitTest, FollowsThePublishedAdamW) {
  options_.n_steps = 3;
  options_.weight_decay = 0.1;
  options_.clip_norm = 0.5;
  Trained t = trained();
  const Fitted fitted = run(t).value();
  Tensor w = model_->param(kDown).value.to(at::kDouble),
         n = model_->param(kNorm).value.to(at::kDouble);
  Tensor m = at::zeros_like(w), v = at::zeros_like(w);
  for (int64_t k = 0; k < 3; ++k) {
    // The norm weight is one, its gap zero: the whole gradient is the matrix's.
    Tensor g = w - 1;
    const double norm = g.norm().item<double>();
    EXPECT_NEAR(fitted.gradient_norms[static_cast<size_t>(k)], norm, 1e-4 * norm);
    g = g * (0.5 / norm);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double lr = learning_rate(options_, k), step = static_cast<double>(k) + 1;
    w = w - lr * 0.1 * w -
        lr * (m / (1 - std::pow(0.9, step))) / ((v / (1 - std::pow(0.999, step))).sqrt() + 1e-8);
  }
  const Tensor got = t.variables().at(kDown).weight.detach().to(at::kDouble);
  EXPECT_LT((got - w).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(t.variables().at(kNorm).weight.detach().to(at::kDouble), n));
}

TEST_F(FitTest, TheRateRisesAndFalls) {
  const auto rate = [&](int64_t step) { return learning_rate(options_, step) / options_.lr; };
  EXPECT_DOUBLE_EQ(rate(0), 0.2);
  EXPECT_DOUBLE_EQ(rate(4), 1);
  EXPECT_DOUBLE_EQ(rate(5), 1);
  EXPECT_DOUBLE_EQ(rate(19), 1.0 / 15);
  options_.schedule = Schedule::kConstant;
  EXPECT_DOUBLE_EQ(rate(19), 1);
}

TEST_F(FitTest, StopsAndGoesOnBitForBit) {
  Trained whole = trained();
  const Fitted all = run(whole).value();
  options_.checkpoint = (folder_ / "checkpoint.safetensors").string();
  options_.identity = "this";
  {
    Trained t = trained();
    FitOptions first = options_;
    first.after_step = [](int64_t step) -> base::Status {
      if (step == 7) base::request_cancel();
      return {};
    };
    const auto stopped = fit(t, first, [&](int64_t, FitState& state) {
      state = {42};
      return towards_one(t);
    });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::kCancelled);
    base::clear_cancel();
  }
  FitOptions other = options_;
  other.identity = "that";
  Trained t = trained();
  const auto refused = fit(t, other, [&](int64_t, FitState&) { return towards_one(t); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  const Fitted rest = fit(t, options_, [&](int64_t, FitState& state) {
                        EXPECT_EQ(state, FitState{42});
                        return towards_one(t);
                      }).value();
  EXPECT_EQ(rest.resumed_at, 8);
  EXPECT_EQ(rest.losses, all.losses);
  EXPECT_EQ(serialise(t.edit()).value(), serialise(whole.edit()).value());
  EXPECT_FALSE(std::filesystem::exists(options_.checkpoint));  // done
}

TEST_F(FitTest, ADamagedCheckpointIsAnError) {
  options_.checkpoint = (folder_ / "checkpoint.safetensors").string();
  ASSERT_TRUE(base::write_file_atomic(options_.checkpoint, "not a checkpoint"));
  Trained t = trained();
  const auto refused = run(t);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
}

TEST_F(FitTest, ALossThatIsNotFiniteIsAnErrorWithTheNumber) {
  Trained t = trained();
  const auto failed = fit(t, options_, [&](int64_t step, FitState&) -> base::Result<double> {
    TRY(towards_one(t));
    return step == 3 ? std::nan("") : 1.0;
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kNumeric);
  EXPECT_THAT(failed.error().message, HasSubstr("step 4"));
}

TEST_F(FitTest, Adapters) {
  EXPECT_EQ(Trained::full(*model_, {"no.such"}).error().code, Code::kNotFound);
  EXPECT_EQ(Trained::full(*model_, {}).error().code, Code::kUsage);
  EXPECT_EQ(Trained::lora(*model_, {kNorm}, 4, 8, 1).error().code, Code::kUsage);
  EXPECT_EQ(Trained::lora(*model_, {kDown}, 0, 8, 1).error().code, Code::kUsage);
  Trained t = Trained::lora(*model_, {kDown}, 4, 8, 1).value();
  EXPECT_TRUE(t.edit().is_zero());
  ASSERT_TRUE(run(t));
  const Edit edit = t.edit();
  const auto& low = std::get<LowRank>(edit.deltas[0].change);
  EXPECT_EQ(low.u.size(1), 4);
  const model::Variable& v = t.variables().at(kDown);
  EXPECT_TRUE(at::allclose(dense(edit.deltas[0]), at::mm(v.b, v.a).detach() * 2, 1e-6, 1e-7));
}

TEST_F(FitTest, NamesOfWhatIsTrained) {
  constexpr std::string_view kModules[] = {"mlp.down_proj", "self_attn.q_proj", "no.such"};
  const auto names = layer_matrices(*model_, kModules, 1);
  EXPECT_EQ(names.size(), 4U);  // two modules of the last two of three layers
  EXPECT_EQ(all_tensors(*model_).size(), model::expected_tensors(model_->config()).size());
}

}  // namespace
}  // namespace expunge::edit
