// A preparation is read or built, for any method.
#include "unlearn/preparation.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "tiny.h"

namespace expunge::unlearn {
namespace {

namespace fs = std::filesystem;

int n_learned = 0;  // how often anything was learned

struct Number final : Prepared {
  explicit Number(std::string bytes) : bytes_(std::move(bytes)) {}
  int64_t first_layer() const override { return 2; }
  std::string serialise() const override { return bytes_; }

 private:
  std::string bytes_;
};

base::Result<PreparedPtr> learn(const model::Model&, const PreparationInputs& inputs,
                                const Parts& parts, const base::Job& job) {
  ++n_learned;
  const auto one = [] { return base::Result<Tensor>(at::ones({1}, tensor::f32())); };
  TRY(parts.get("one", one));
  TRY(job.check());
  return std::make_shared<const Number>(fmt::format("kept {}", inputs.prompts.size()));
}
base::Result<PreparedPtr> read(std::string_view bytes) {
  if (!bytes.starts_with("kept ")) return base::fail(base::Code::kCorrupt, "not a number");
  return std::make_shared<const Number>(std::string(bytes));
}

class Prepare : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    ::setenv("EXPUNGE_CACHE", folder_.c_str(), 1);
    n_learned = 0;
  }
  void TearDown() override {
    ::unsetenv("EXPUNGE_CACHE");
    fs::remove_all(folder_);
  }
  base::Result<PreparedPtr> prepare(const base::Job& job = {}) const {
    return unlearn::prepare("number", preparation_, *model_, source_, job);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& file : fs::directory_iterator(folder_ + "/prepared"))
      names.push_back(file.path().filename());
    return names;
  }
  std::string folder_ = ::testing::TempDir() + "expunge-prepared";
  std::shared_ptr<const model::Model> model_ = tests::random_model(1);
  Preparation preparation_{"1", learn, read, nullptr};
  PreparationSource source_{"three", [] {
                              PreparationInputs inputs;
                              inputs.prompts.resize(3);
                              return base::Result<PreparationInputs>(inputs);
                            }};
};

TEST_F(Prepare, LearnsOnceAModelVersionAndInputs) {
  EXPECT_EQ(prepare().value()->serialise(), "kept 3");
  EXPECT_EQ(prepare().value()->serialise(), "kept 3");
  EXPECT_EQ(n_learned, 1);
  ASSERT_EQ(files().size(), 1U);  // and no parts
  EXPECT_TRUE(files()[0].starts_with("number-"));
  preparation_.version = "2";
  ASSERT_TRUE(prepare());
  EXPECT_EQ(n_learned, 2);
  source_.identity = "others";
  ASSERT_TRUE(prepare());
  EXPECT_EQ(n_learned, 3);
  model_ = tests::random_model(2);
  ASSERT_TRUE(prepare());
  EXPECT_EQ(n_learned, 4);
  EXPECT_EQ(files().size(), 4U);
}

TEST_F(Prepare, DoesNotBelieveADamagedFile) {
  ASSERT_TRUE(prepare());
  ASSERT_TRUE(base::write_file_atomic(folder_ + "/prepared/" + files()[0], "keep"));
  EXPECT_EQ(prepare().value()->serialise(), "kept 3");
  EXPECT_EQ(n_learned, 2);
}

TEST_F(Prepare, KeepsItsPartsUntilItIsWhole) {
  const base::Job job;
  job.cancel();
  EXPECT_EQ(prepare(job).error().code, base::Code::kCancelled);
  ASSERT_EQ(files().size(), 1U);
  EXPECT_TRUE(files()[0].ends_with(".parts"));
  ASSERT_TRUE(prepare());
  ASSERT_EQ(files().size(), 1U);
  EXPECT_TRUE(files()[0].ends_with(".safetensors"));
}

TEST(Parts, GivesWhatWasFirstMadeBitForBit) {
  const std::string folder = ::testing::TempDir() + "expunge-parts";
  fs::remove_all(folder);
  std::mt19937_64 rng(1);
  const Tensor first = tests::random_tensor(rng, {3, 5}, 1);
  const auto make = [&] { return base::Result<Tensor>(first); };
  const auto never = []() -> base::Result<Tensor> {
    return base::fail(base::Code::kInvalid, "made again");
  };
  EXPECT_EQ(Parts(folder).get("a", never).error().code, base::Code::kInvalid);
  EXPECT_TRUE(at::equal(Parts(folder).get("a", make).value(), first));
  EXPECT_TRUE(at::equal(Parts(folder).get("a", never).value(), first));
  EXPECT_FALSE(Parts(folder).get("b", never));
  EXPECT_FALSE(Parts().get("a", never));  // stores nothing
  Parts(folder).clear();
  EXPECT_FALSE(Parts(folder).get("a", never));
}

}  // namespace
}  // namespace expunge::unlearn
