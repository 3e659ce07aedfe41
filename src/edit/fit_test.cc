#include "edit/fit.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "model/role.h"
#include "tiny.h"

namespace expunge::edit {
namespace {

using base::Code;
using ::testing::HasSubstr;

const std::string kDown = tests::layer_weight(1, "mlp.down_proj"), kNorm = "model.norm.weight";

// ½ |w − target|² of every leaf, with target 1.
base::Result<double> towards_one(TrainableParameters& trained) {
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
  void TearDown() override { std::filesystem::remove_all(folder_); }
  TrainableParameters trained() const {
    return TrainableParameters::full(*model_, {kDown, kNorm}).value();
  }
  base::Result<Fitted> run(TrainableParameters& t) const {
    return fit(t, options_, {}, [&](int64_t, FitState&) { return towards_one(t); });
  }
  std::shared_ptr<const model::Model> model_ = tests::random_model(3);
  std::filesystem::path folder_;
  FitOptions options_;
};

TEST_F(FitTest, DescendsAndLeavesTheModelAlone) {
  const std::string before = model_->weights_hash();
  TrainableParameters t = trained();
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
    EXPECT_TRUE(at::allclose(edited.param(name).value(), v.weight.detach(), 1e-6, 1e-7)) << name;
}

TEST_F(FitTest, FollowsThePublishedAdamW) {
  options_.n_steps = 3;
  options_.weight_decay = 0.1;
  options_.clip_norm = 0.5;
  TrainableParameters t = trained();
  const Fitted fitted = run(t).value();
  Tensor w = model_->param(kDown).value().to(at::kDouble),
         n = model_->param(kNorm).value().to(at::kDouble);
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

// A fit with state, whose end each test chooses.
struct Ending {
  base::Job job = {};
  std::function<base::Status(int64_t step)> after_step = {};
};

class ResumedFitTest : public FitTest {
 protected:
  void SetUp() override {
    FitTest::SetUp();
    whole_ = run_with(whole_parameters_, options_, {}).value();  // writes no checkpoint
    options_.checkpoint.path = (folder_ / "checkpoint.safetensors").string();
    options_.checkpoint.identity = "this";
  }
  base::Result<Fitted> run_with(TrainableParameters& t, FitOptions options, const Ending& end) {
    options.after_step = end.after_step;
    return fit(t, options, end.job, [&](int64_t step, FitState& state) -> base::Result<double> {
      EXPECT_EQ(state, step == 0 ? FitState{} : FitState{static_cast<double>(step)});
      state = {static_cast<double>(step) + 1};
      return towards_one(t);
    });
  }
  void expect_resumes_at(int64_t step) {
    TrainableParameters t = trained();
    const Fitted rest = run_with(t, options_, {}).value();
    EXPECT_EQ(rest.resumed_at, step);
    EXPECT_EQ(rest.step_seconds.size(), static_cast<size_t>(options_.n_steps - step));
    EXPECT_EQ(rest.losses, whole_.losses);
    EXPECT_EQ(rest.gradient_norms, whole_.gradient_norms);
    EXPECT_EQ(serialise(t.edit()).value(), serialise(whole_parameters_.edit()).value());
  }
  TrainableParameters whole_parameters_ = trained();
  Fitted whole_;
};

TEST_F(ResumedFitTest, AfterItWasCancelled) {
  {
    TrainableParameters t = trained();
    Ending end;
    end.after_step = [&end](int64_t step) -> base::Status {
      if (step == 7) end.job.cancel();
      return {};
    };
    const auto stopped = run_with(t, options_, end);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::kCancelled);
  }
  FitOptions other = options_;
  other.checkpoint.identity = "that";
  TrainableParameters t = trained();
  const auto refused = run_with(t, other, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  expect_resumes_at(8);
}

TEST_F(ResumedFitTest, AfterItsDeadline) {
  TrainableParameters t = trained();
  const auto stopped = run_with(t, options_, {base::Job().within(-1)});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  expect_resumes_at(0);
}

// What kill -9 leaves is the checkpoint of the last multiple of every_steps.
TEST_F(ResumedFitTest, AfterItWasKilled) {
  options_.checkpoint.every_steps = 3;
  const std::string copy = (folder_ / "copy").string();
  {
    TrainableParameters t = trained();
    ASSERT_TRUE(run_with(t, options_, {{}, [&](int64_t step) -> base::Status {
                                         if (step == 10)
                                           std::filesystem::copy(options_.checkpoint.path, copy);
                                         return {};
                                       }}));
  }
  std::filesystem::rename(copy, options_.checkpoint.path);
  expect_resumes_at(9);
}

TEST_F(ResumedFitTest, AfterAnErrorInAStep) {
  TrainableParameters t = trained();
  ASSERT_FALSE(run_with(t, options_, {{}, [](int64_t step) -> base::Status {
                                        if (step == 4)
                                          return base::fail(Code::kIo, "the evaluation failed");
                                        return {};
                                      }}));
  // The work after a step is repeated: the first run did not finish it.
  std::vector<int64_t> followed;
  TrainableParameters again = trained();
  ASSERT_TRUE(run_with(again, options_, {{}, [&](int64_t step) -> base::Status {
                                           followed.push_back(step);
                                           return {};
                                         }}));
  EXPECT_EQ(followed.front(), 4);
  EXPECT_EQ(followed.size(), 16U);
}

TEST_F(ResumedFitTest, AfterItsEndWithoutAStep) {
  TrainableParameters t = trained();
  ASSERT_TRUE(run_with(t, options_, {}));
  expect_resumes_at(20);
  remove_checkpoint(options_.checkpoint.path);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(ResumedFitTest, AFullDiskMidwayDoesNotEndIt) {
  options_.checkpoint.every_steps = 3;
  std::vector<base::Error> failures;
  options_.checkpoint.failed = [&](const base::Error& e) { failures.push_back(e); };
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const std::string at_9 = (folder_ / "copy").string();
  TrainableParameters t = trained();
  const auto fitted = run_with(
      t, options_, {{}, [&](int64_t step) -> base::Status {
                      if (step == 9) {  // a file of more than 4 KB cannot be written from here on
                        std::filesystem::copy(options_.checkpoint.path, at_9);
                        const rlimit small{4096, before.rlim_max};
                        EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
                      }
                      return {};
                    }});
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_TRUE(fitted);
  EXPECT_EQ(fitted->losses, whole_.losses);
  ASSERT_EQ(failures.size(), 4U);  // at 12, 15 and 18 steps, and at the end
  EXPECT_EQ(failures[0].code, Code::kIo);
  EXPECT_EQ(base::read_file(options_.checkpoint.path).value(), base::read_file(at_9).value());
  std::filesystem::remove(at_9);
  expect_resumes_at(9);
}

TEST_F(ResumedFitTest, WithoutRoomForCheckpointsItDoesNotBegin) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  TrainableParameters t = trained();
  const auto refused = fit(t, options_, {}, [](int64_t, FitState&) -> base::Result<double> {
    ADD_FAILURE() << "a step";
    return 0.0;
  });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kIo);
  EXPECT_THAT(refused.error().message, HasSubstr(options_.checkpoint.path));
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(FitTest, ADamagedCheckpointIsAnError) {
  options_.checkpoint.path = (folder_ / "checkpoint.safetensors").string();
  ASSERT_TRUE(base::write_file_atomic(options_.checkpoint.path, "not a checkpoint"));
  TrainableParameters t = trained();
  const auto refused = run(t);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
}

TEST_F(FitTest, ALossThatIsNotFiniteIsAnErrorWithTheNumber) {
  TrainableParameters t = trained();
  const auto failed = fit(t, options_, {}, [&](int64_t step, FitState&) -> base::Result<double> {
    TRY(towards_one(t));
    return step == 3 ? std::nan("") : 1.0;
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::kNumeric);
  EXPECT_THAT(failed.error().message, HasSubstr("step 4"));
}

TEST_F(FitTest, Adapters) {
  EXPECT_EQ(TrainableParameters::full(*model_, {"no.such"}).error().code, Code::kNotFound);
  EXPECT_EQ(TrainableParameters::full(*model_, {}).error().code, Code::kUsage);
  EXPECT_EQ(TrainableParameters::lora(*model_, {kNorm}, 4, 8, 1).error().code, Code::kUsage);
  EXPECT_EQ(TrainableParameters::lora(*model_, {kDown}, 0, 8, 1).error().code, Code::kUsage);
  TrainableParameters t = TrainableParameters::lora(*model_, {kDown}, 4, 8, 1).value();
  EXPECT_TRUE(t.edit().is_zero());
  ASSERT_TRUE(run(t));
  const Edit edit = t.edit();
  const auto& low = std::get<LowRank>(edit.deltas[0].change);
  EXPECT_EQ(low.u.size(1), 4);
  const model::Variable& v = t.variables().at(kDown);
  EXPECT_TRUE(at::allclose(dense(edit.deltas[0]), at::mm(v.b, v.a).detach() * 2, 1e-6, 1e-7));
}

TEST_F(FitTest, NamesOfWhatIsTrained) {
  constexpr model::Role kRoles[] = {model::Role::kDown, model::Role::kQ, model::Role::kQNorm};
  const auto names = layer_matrices(*model_, kRoles, 1);
  EXPECT_EQ(names.size(),
            4U);  // two of the last two of three layers; a llama has no norm of queries
  EXPECT_EQ(all_tensors(*model_).size(), model::expected_tensors(model_->arch()).size());
}

}  // namespace
}  // namespace expunge::edit
