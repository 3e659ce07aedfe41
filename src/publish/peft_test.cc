// Edits as an adapter: what PEFT reads (0.13: rank_pattern's keys are matched after a dot), and
// what cannot be one.
#include "base/files.h"
#include "publish/publish_test.h"
#include "tensor/tensor_map.h"

namespace expunge::publish {
namespace {

using edit::Dense;
using edit::LowRank;

constexpr const char* kDown = "model.layers.1.mlp.down_proj.weight";
constexpr const char* kEmbedding = "model.embed_tokens.weight";
constexpr const char* kKeys = "model.layers.2.self_attn.k_proj.weight";

class PeftTest : public ExportTest {
 protected:
  void SetUp() override {
    ExportTest::SetUp();
    load_image(tests::gguf_image(tests::tiny_arch(), DType::kF32));
  }
  base::Result<Exported> run(Overwrite overwrite = Overwrite::kNo) {
    ExportOptions o = to(Format::kPeft, "peft");
    o.overwrite = overwrite;
    return ExportTest::run(o);
  }
  tensor::TensorMap written() const {
    return tensor::read_image(base::read_file(out("peft/adapter_model.safetensors")).value())
        .value()
        .tensors;
  }
};

TEST_F(PeftTest, FactorsOfAllEditsTurnTheOriginalWeightsIntoTheEditedOnes) {
  const Tensor before = model_->param(kDown).value().clone();
  commit({{low_rank(kDown, 2), low_rank(kKeys, 1)}});
  commit({{low_rank(kDown, 3)}});
  const Exported e = run().value();
  EXPECT_EQ(e.tensors, 4U);
  EXPECT_EQ(e.edited.size(), 2U);
  EXPECT_EQ(e.weights_file, out("peft/adapter_model.safetensors"));
  const tensor::TensorMap factors = written();
  ASSERT_EQ(factors.size(), 4U);
  const std::string key = "base_model.model.model.layers.1.mlp.down_proj.lora_";
  const Tensor a = factors.at(key + "A.weight"), b = factors.at(key + "B.weight");
  EXPECT_EQ(a.size(0), 5);  // ranks add up
  const Tensor keys = model_->param(kKeys).value();
  const std::string other = "base_model.model.model.layers.2.self_attn.k_proj.lora_";
  EXPECT_EQ(factors.at(other + "A.weight").sizes(), (std::vector<int64_t>{1, keys.size(1)}));
  EXPECT_EQ(factors.at(other + "B.weight").sizes(), (std::vector<int64_t>{keys.size(0), 1}));
  EXPECT_TRUE(at::allclose(before + b.mm(a), model_->param(kDown).value(), 1e-5, 1e-5));
}

TEST_F(PeftTest, WhatIsReadAgainIsTheJournalsEditsBitForBit) {
  const edit::Edit first{{low_rank(kDown, 2), low_rank(kKeys, 1)}}, second{{low_rank(kDown, 3)}};
  commit(first);
  commit(second);
  ASSERT_TRUE(run());
  const edit::Edit all = edit::sum(first, second), read = read_adapter(out("peft")).value();
  ASSERT_EQ(read.deltas.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.deltas[i].tensor, all.deltas[i].tensor);
    const auto& want = std::get<LowRank>(all.deltas[i].change);
    const auto& got = std::get<LowRank>(read.deltas[i].change);
    EXPECT_TRUE(at::equal(got.u, want.u));
    EXPECT_TRUE(at::equal(got.s, want.s));
  }
}

TEST_F(PeftTest, AScaleThatIsNotOneIsNotRead) {
  commit({{low_rank(kDown, 2), low_rank(kKeys, 1)}});
  ASSERT_TRUE(run());
  const fs::path file = folder_ / "out/peft/adapter_config.json";
  const base::Json good = base::read_json(file).value();
  for (const char* key : {"lora_alpha", "alpha_pattern", "rank_pattern", "target_modules"}) {
    base::Json bad = good;
    bad.erase(key);
    ASSERT_TRUE(base::write_file_atomic(file, base::dump_json(bad)));
    const auto read = read_adapter(out("peft"));
    ASSERT_FALSE(read) << key;
    EXPECT_EQ(read.error().code, Code::kCorrupt) << key;
  }
}

TEST_F(PeftTest, TheConfigurationIsPefts) {
  commit({{low_rank(kDown, 2), low_rank(kKeys, 1)}});
  ASSERT_TRUE(run());
  const base::Json json = base::read_json(folder_ / "out/peft/adapter_config.json").value();
  EXPECT_EQ(json["peft_type"], "LORA");
  EXPECT_EQ(json["base_model_name_or_path"], "m.gguf");
  EXPECT_EQ(json["r"], json["lora_alpha"]);  // a scale of one
  EXPECT_EQ(json["r"], 2);
  EXPECT_EQ(json["rank_pattern"], (base::Json{{"layers.2.self_attn.k_proj", 1}}));
  EXPECT_EQ(json["alpha_pattern"], json["rank_pattern"]);
  EXPECT_EQ(json["target_modules"],
            base::Json({"model.layers.1.mlp.down_proj", "model.layers.2.self_attn.k_proj"}));
  const std::string record = base::read_file(folder_ / "out/peft/expunge.json").value();
  EXPECT_EQ(record.find("secret"), record.npos);
  EXPECT_NE(record.find("\"peft\""), record.npos);
}

TEST_F(PeftTest, WhatNoAdapterHoldsIsRefused) {
  EXPECT_EQ(run().error().code, Code::kNotFound);
  const Tensor w = model_->param(kDown).value();
  commit({{low_rank(kKeys, 1), {kDown, Dense{tests::random_tensor(rng_, w.sizes().vec(), 1)}}}});
  const auto dense = run();
  ASSERT_FALSE(dense);
  EXPECT_EQ(dense.error().code, Code::kUnsupported);
  EXPECT_NE(dense.error().message.find(kDown), std::string::npos);
  EXPECT_NE(dense.error().hint.find("--format safetensors"), std::string::npos);
  EXPECT_FALSE(fs::exists(out("peft")));
}

TEST_F(PeftTest, OutsideTheLayersThereIsNoAdapter) {
  commit({{low_rank(kEmbedding, 1)}});
  const auto refused = run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_NE(refused.error().message.find(kEmbedding), std::string::npos);
  EXPECT_NE(refused.error().message.find("outside the layers"), std::string::npos);
}

TEST_F(PeftTest, OnlyAnEarlierExportIsOverwritten) {
  commit({{low_rank(kDown, 1)}});
  ASSERT_TRUE(run());
  EXPECT_EQ(run().error().code, Code::kConflict);
  commit({{low_rank(kDown, 1)}});
  ASSERT_TRUE(run(Overwrite::kYes));
  EXPECT_EQ(written().begin()->second.size(0), 2);
  fs::remove(folder_ / "out/peft/expunge.json");
  EXPECT_EQ(run(Overwrite::kYes).error().code, Code::kRefused);
}

}  // namespace
}  // namespace expunge::publish
