// stories260K: ids and logits of the reference C program (karpathy/llama2.c, run.c).
#include <gtest/gtest.h>

#include "golden.h"
#include "model/generate.h"

namespace expunge::model {
namespace {

const std::string kFolder = std::string(EXPUNGE_SOURCE_DIR) + "/tests/data/stories260K";

template <class T>
std::vector<T> read(const std::string& name) {
  const std::string bytes = base::read_file(kFolder + "/" + name).value();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Stories260K, LogitsEqualTheReference) {
  const auto model = Model::load(kFolder).value();
  const auto ids = read<int32_t>("ref_ids.i32");
  const auto want = read<float>("ref_logits.f32");
  Runner runner(model);
  Sequence sequence;
  const Chunk chunk{&sequence, ids};
  const Tensor logits = runner.logits(runner.forward({&chunk, 1}));
  const std::vector<float> got(logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel());
  EXPECT_LT(tests::relative_l2(got, want), 5e-6);  // both are float32
}

TEST(Stories260K, GreedyTextEqualsTheReference) {
  const auto model = Model::load(kFolder).value();
  const auto ids = read<int32_t>("ref_ids.i32");
  GenerateOptions options;
  options.max_new_tokens = static_cast<int64_t>(ids.size()) - 1;
  const std::vector<std::vector<int32_t>> prompts = {{ids[0]}};
  const auto generated = generate(model, prompts, options).value();
  EXPECT_EQ(generated[0].ids, std::vector<int32_t>(ids.begin() + 1, ids.end()));
}

}  // namespace
}  // namespace expunge::model
