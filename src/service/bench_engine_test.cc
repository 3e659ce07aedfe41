// The engine's figures: medians, and that each is there and consistent with the others. How large
// they are is the machine's.
#include "service/bench_engine.h"

#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Json;

TEST(Median, OfAnOddAnEvenAndNoNumber) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 100}), 3.5);
}

class BenchEngine : public PlantedTest {};

TEST_F(BenchEngine, EveryFigureIsMeasured) {
  const model::ChatModel chat = model::load_chat_model(model()).value();
  size_t rounds = 0;
  const base::Job job([&](std::string_view what, size_t, size_t) { rounds += what == "engine"; });
  const BenchEngineOptions options{
      .prompt_tokens = 20, .decode_tokens = 4, .decode_context = 8, .repeats = 1};
  const Json result = bench_engine(chat, options, job).value();
  EXPECT_EQ(rounds, 2);  // one of them to warm up
  for (const char* key : {"prompt_tok_s", "decode_tok_s", "start_s", "read_gb_s", "gemm_gflops",
                          "fma_gflops", "prompt_gemm_share", "decode_read_share", "peak_mb"})
    EXPECT_GT(result[key].get<double>(), 0) << key;
  for (const auto& [key, value] : result["f32"].items()) EXPECT_GT(value.get<double>(), 0) << key;
  for (const char* n : {"2", "4", "8", "16", "64"})
    EXPECT_GT(result["batch"][n].get<double>(), 0) << n;
  // The share is what the rate times the bytes of a step makes of the bandwidth: the vocabulary's
  // matrix is read as the head alone.
  double bytes = 0;
  for (const auto& [name, param] : chat.model.weights())
    if (param->shape().size() == 2 && name != "model.embed_tokens.weight")
      bytes += 4 * static_cast<double>(param->numel());
  EXPECT_NEAR(
      result["decode_read_share"].get<double>(),
      1e-9 * bytes * result["decode_tok_s"].get<double>() / result["read_gb_s"].get<double>(),
      1e-9);
  EXPECT_DOUBLE_EQ(result["weights_mb"].get<double>(), 1e-6 * chat.model.weight_bytes());
  EXPECT_EQ(result["repeats"], 1);
  EXPECT_EQ(result["prompt_tokens"], 20);
}

TEST_F(BenchEngine, CanBeCancelled) {
  const base::Job job;
  job.cancel();
  EXPECT_EQ(bench_engine(model::load_chat_model(model()).value(), {}, job).error().code,
            base::Code::kCancelled);
}

}  // namespace
}  // namespace expunge::service
