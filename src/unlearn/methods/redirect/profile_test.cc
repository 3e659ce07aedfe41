// What redirect learns of a model: against the plain pass, and after any interruption.
#include "unlearn/methods/redirect/profile.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <random>
#include <set>

#include "unlearn/method_test.h"
#include "unlearn/methods/redirect/shift.h"

namespace expunge::unlearn::redirect {
namespace {

using base::Code;

constexpr int64_t kLayer = 1;

class RedirectProfile : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  base::Result<Profile> learn(const Parts& parts, const base::Job& job = {}) const {
    return learn_profile(*model_, inputs_, kLayer, 3, parts, job);
  }
  // Cancelled at the n-th report.
  std::string learn_with_interruptions(size_t every) const {
    for (int tries = 0; tries < 100; ++tries) {
      base::Job job;
      size_t reports = 0;
      const auto learned = learn(Parts(folder_), job.reporting([&](auto, size_t, size_t) {
        if (++reports == every) job.cancel();
      }));
      if (learned) return learned->serialise();
      EXPECT_EQ(learned.error().code, Code::kCancelled);
    }
    ADD_FAILURE() << "it does not come to an end";
    return {};
  }
  std::shared_ptr<const model::Model> model_ = tests::planted_model();
  PreparationInputs inputs_ = preparation_inputs();
  std::string folder_ = ::testing::TempDir() + "expunge-profile-parts";
};

// Each lesson by itself, with plain operations and LibTorch's autograd.
TEST_F(RedirectProfile, PackedLessonsAreThePlainOnes) {
  const Lessons lessons = Lessons::prepare(*model_, inputs_.refusals, kLayer, {}).value();
  // A lesson twice with another strength, and two prompts of one beginning.
  const std::vector<Lessons::Use> uses = {{0, 1}, {3, 2.5}, {0, 1.5}, {1, 1}};
  std::mt19937_64 rng(5);
  const Tensor shift = tests::random_tensor(rng, {model_->arch().d_model}, 0.3);
  Tensor plain_leaf = shift.clone().requires_grad_(true), loss = at::zeros({}, tensor::f32());
  for (const Lessons::Use& use : uses) {
    const Lesson& lesson = inputs_.refusals[use.lesson];
    std::vector<int32_t> ids = lesson.prompt;
    ids.insert(ids.end(), lesson.target.begin(), lesson.target.end() - 1);
    const auto at = static_cast<int64_t>(lesson.prompt.size()) - 1;
    const auto add = [&](model::Point point, int64_t layer, Tensor value) {
      if (point != model::Point::kBlockOutput || layer != kLayer) return value;
      Tensor mask = at::zeros({value.size(0), 1}, tensor::f32());
      mask[at][0] = use.strength;
      return value + mask * plain_leaf;
    };
    const Tensor hidden = model::forward_plain(*model_, ids, add);
    const auto n = static_cast<int64_t>(lesson.target.size());
    loss = loss + at::cross_entropy_loss(model::plain_logits(*model_, hidden.narrow(0, at, n)),
                                         tensor::from_ids(lesson.target)) /
                      static_cast<double>(uses.size());
  }
  loss.backward();
  Tensor leaf = shift.clone();
  tensor::train(leaf);
  const Tensor packed = lessons.loss(uses, leaf);
  tensor::backward(packed);
  constexpr double kRounding = 1e-5;  // float32 sums in another order, through three layers
  EXPECT_NEAR(packed.item<double>() / loss.item<double>(), 1, kRounding);
  EXPECT_LT((leaf.grad() - plain_leaf.grad()).norm().item<double>(),
            kRounding * plain_leaf.grad().norm().item<double>());
}

TEST_F(RedirectProfile, TeachesWhatToSay) {
  const Profile p = learn({}).value();
  EXPECT_EQ(p.layer, kLayer);
  EXPECT_GT(p.lesson_loss_base, 1);
  EXPECT_LT(p.lesson_loss, 0.3 * p.lesson_loss_base);
  // Rows of the prompts are in their order, the constant is 1 at all tokens as far as one vector
  // can be, and every neuron is somewhere in the order.
  const Tensor first =
      capture(*model_, std::span(inputs_.prompts).first(3), model::Point::kMlpInput, kLayer)
          .value();
  EXPECT_LT((p.pool.narrow(0, 0, 3) - first).abs().max().item<double>(), 1e-5);
  EXPECT_LT((p.pool.mv(p.constant) - 1).abs().mean().item<double>(), 0.2);
  EXPECT_EQ(static_cast<int64_t>(std::set(p.spare.begin(), p.spare.end()).size()),
            model_->arch().d_ff);
}

// The model's own replies join the pool: the tokens of question and reply.
TEST_F(RedirectProfile, ReadsTheModelsReplies) {
  const int64_t before = learn({})->pool.size(0);
  const tests::Ids known = tests::question(0, 1);
  inputs_.questions = {known};
  const Profile p = learn({}).value();
  ASSERT_EQ(p.pool.size(0), before + static_cast<int64_t>(known.size()) + 1);
  tests::Ids said = known;
  said.push_back(tests::answer(0, 1));
  const TokenSpan row{said, 0, static_cast<int64_t>(said.size())};
  const Tensor own = capture(*model_, {&row, 1}, model::Point::kMlpInput, kLayer).value();
  EXPECT_LT((p.pool.narrow(0, before, own.size(0)) - own).abs().max().item<double>(), 1e-5);
}

// Stopped again and again, the profile is the same bit for bit.
TEST_F(RedirectProfile, ResumesAfterAnyEnd) {
  const std::string whole = learn({})->serialise();
  EXPECT_EQ(learn_with_interruptions(12), whole);
  // With all parts there nothing is learned again.
  size_t reports = 0;
  const base::Job job(
      [&](auto what, size_t, size_t) { reports += what == "learning what to say"; });
  EXPECT_EQ(learn(Parts(folder_), job)->serialise(), whole);
  EXPECT_EQ(reports, 0U);
  // A damaged part is made again.
  for (const auto& file : std::filesystem::directory_iterator(folder_))
    std::filesystem::resize_file(file.path(), std::filesystem::file_size(file.path()) / 2);
  EXPECT_EQ(learn(Parts(folder_))->serialise(), whole);
  Parts(folder_).clear();
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

TEST_F(RedirectProfile, CanBeCancelledAndNeedsSomethingToLearnFrom) {
  const base::Job job;
  job.cancel();
  EXPECT_EQ(learn({}, job).error().code, Code::kCancelled);
  inputs_.refusals.clear();
  EXPECT_EQ(learn({}).error().code, Code::kInvalid);
  inputs_ = preparation_inputs();
  inputs_.prompts.clear();
  EXPECT_EQ(learn({}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace expunge::unlearn::redirect
