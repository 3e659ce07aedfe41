// Loading, names, hashes, restoring; the errors of damaged files.
#include "model/model.h"

#include <gmock/gmock.h>

#include "base/hash.h"
#include "model/forward.h"
#include "model/role.h"
#include "tiny_folder.h"
#include "tiny_gguf.h"

namespace expunge::model {
namespace {

using base::Code;
using tensor::DType;
using testing::HasSubstr;
using tests::floats;
using tests::TempDir;
using Values = std::map<std::string, Tensor>;

// llama.cpp's LlamaModel.permute: rows [heads, 2, K/2] -> [heads, K/2, 2].
Tensor permuted(const Tensor& w, int64_t heads) {
  return w.reshape({heads, 2, w.size(0) / heads / 2, w.size(1)}).transpose(1, 2).reshape(w.sizes());
}

tests::GgufBuilder gguf_of(const Arch& c, const Values& weights, DType dtype,
                           const std::string& leave_out = "") {
  tests::GgufBuilder b;
  b.text("general.architecture", "llama");
  b.u32("llama.block_count", static_cast<uint32_t>(c.n_layers));
  b.u32("llama.embedding_length", static_cast<uint32_t>(c.d_model));
  b.u32("llama.feed_forward_length", static_cast<uint32_t>(c.d_ff));
  b.u32("llama.attention.head_count", static_cast<uint32_t>(c.n_heads));
  b.u32("llama.attention.head_count_kv", static_cast<uint32_t>(c.n_kv_heads));
  b.u32("llama.context_length", static_cast<uint32_t>(c.context_length));
  b.f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(c.norm_eps));
  b.u32("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(c.end_ids[0]));
  b.texts("tokenizer.ggml.tokens",
          std::vector<std::string>(static_cast<size_t>(c.vocab_size), "t"));
  for (const auto& [name, w] : weights) {
    if (name == leave_out) continue;
    const bool q = name.ends_with("q_proj.weight"), k = name.ends_with("k_proj.weight");
    const Tensor stored = q ? permuted(w, c.n_heads) : k ? permuted(w, c.n_kv_heads) : w;
    b.tensor(name_to_gguf(c, name).value(), w.sizes().vec(), floats(stored),
             w.dim() == 1 ? DType::kF32 : dtype);
  }
  return b;
}

Arch block_config() {  // every row a whole number of blocks
  Arch c = tests::tiny_arch();
  c.d_ff = 64;
  return c;
}

class Files : public testing::Test {
 protected:
  std::string write(const tests::GgufBuilder& b) {
    tests::write_bytes(path_, b.image());
    return path_;
  }
  base::Error load_error(const std::string& path) {
    const auto model = Model::load(path);
    EXPECT_FALSE(model);
    return model ? base::Error{} : model.error();
  }
  TempDir dir_;
  std::string path_ = dir_ / "m.gguf";
  Arch config_ = block_config();
  Values weights_ = tests::random_weights(config_, 3);
};

TEST_F(Files, GgufFolderAndMemoryHoldTheSameModel) {
  const auto memory = Model::from_weights(config_, weights_).value();
  const auto gguf = Model::load(write(gguf_of(config_, weights_, DType::kF32)));
  ASSERT_TRUE(gguf) << gguf.error().message;
  tests::write_folder(dir_ / "hf", config_, weights_);
  const auto folder = Model::load(dir_ / "hf");
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_EQ(gguf->weights_hash(), memory.weights_hash());
  EXPECT_EQ(folder->weights_hash(), memory.weights_hash());
  EXPECT_EQ(folder->arch().end_ids, config_.end_ids);
  EXPECT_EQ(gguf->arch().n_kv_heads, config_.n_kv_heads);
  EXPECT_FALSE(gguf->arch().tied_embeddings);
  EXPECT_EQ(gguf->file_hash().value(), base::sha256_hex(base::read_file(path_).value()));
}

TEST_F(Files, AGgufWithoutAHeadIsTied) {
  const auto model = Model::load(write(gguf_of(config_, weights_, DType::kF32, "lm_head.weight")));
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->arch().tied_embeddings);
  EXPECT_FALSE(model->has("lm_head.weight"));
}

// One row of activations is multiplied with the blocks themselves, the permuted rows included.
TEST_F(Files, ProductsFromBlocksEqualThoseOfTheValues) {
  const std::vector<int32_t> ids = {3, 14, 15, 9, 26};
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0, DType::kQ5_1, DType::kF16}) {
    const auto model = Model::load(write(gguf_of(config_, weights_, dtype))).value();
    ASSERT_TRUE(model.param("model.layers.0.self_attn.q_proj.weight").in_blocks());
    const c10::InferenceMode no_grad;
    const Tensor want = plain_logits(model, forward_plain(model, ids));
    Runner runner(model);
    Sequence sequence;
    Tensor got;
    for (const int32_t id : ids) {
      const Chunk chunk{&sequence, {&id, 1}};
      got = runner.logits(runner.forward({&chunk, 1}));
    }
    EXPECT_LT(tests::relative_l2(floats(got), floats(want[4])), 3e-6) << tensor::info(dtype).name;
  }
}

TEST_F(Files, DamagedModelsAreRefused) {
  Values nan = weights_;
  nan["model.layers.1.mlp.up_proj.weight"] = nan["model.layers.1.mlp.up_proj.weight"].clone();
  for (const float bad : {std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    nan["model.layers.1.mlp.up_proj.weight"].data_ptr<float>()[77] = bad;
    const base::Error e = load_error(write(gguf_of(config_, nan, DType::kF32)));
    EXPECT_EQ(e.code, Code::kCorrupt);
    EXPECT_THAT(e.message, HasSubstr("model.layers.1.mlp.up_proj.weight holds NaN or infinity"));
    EXPECT_FALSE(Model::from_weights(config_, nan));
  }
  const std::string gone = "model.layers.2.self_attn.o_proj.weight";
  EXPECT_THAT(load_error(write(gguf_of(config_, weights_, DType::kF32, gone))).message,
              HasSubstr(gone + " is missing"));
  Arch wider = config_;
  wider.d_ff = 96;
  EXPECT_THAT(load_error(write(gguf_of(wider, weights_, DType::kF32))).message,
              HasSubstr("has shape [64,32], expected [96,32]"));
  Arch heads = config_;
  heads.n_kv_heads = 1;  // the rows that are put in order no longer fit
  EXPECT_EQ(load_error(write(gguf_of(heads, weights_, DType::kF32))).code, Code::kCorrupt);
}

TEST_F(Files, WhatTheFamilyDoesNotComputeIsRefused) {
  auto biased = gguf_of(config_, weights_, DType::kF32);
  biased.tensor("blk.0.attn_q.bias", {32}, std::vector<float>(32));
  EXPECT_EQ(load_error(write(biased)).code, Code::kUnsupported);
  tests::GgufBuilder other;
  other.text("general.architecture", "mamba");
  EXPECT_FALSE(Model::load(write(other)));
}

// What nothing reads and a layer holds would be left out of the computation.
TEST_F(Files, TensorsOfALayerThatNothingReadsAreRefusedByName) {
  for (const char* name : {"blk.0.attn_q_norm.weight", "blk.1.post_attention_norm.weight",
                           "blk.2.attn_sinks", "blk.3.attn_norm.weight", "output.bias"}) {
    auto b = gguf_of(config_, weights_, DType::kF32);
    b.tensor(name, {32}, std::vector<float>(32));
    const base::Error e = load_error(write(b));
    EXPECT_EQ(e.code, Code::kUnsupported);
    EXPECT_THAT(e.message, HasSubstr(fmt::format("{}: this tensor is not supported", name)));
  }
  static const std::vector<float> values(32);
  const auto with = [&](const char* name) {
    tests::write_folder(dir_ / "hf", config_, weights_,
                        {{name, DType::kF32, {32}, std::as_bytes(std::span(values))}});
    return Model::load(dir_ / "hf");
  };
  for (const char* name : {"model.layers.0.self_attn.q_norm.weight",
                           "model.layers.0.post_feedforward_layernorm.weight",
                           "model.layers.1.self_attn.q_proj.bias", "lm_head.bias"})
    EXPECT_THAT(with(name).error().message, HasSubstr(name));
  for (const char* name :
       {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.0.attn.masked_bias",
        "model.layers.0.attn.attention.bias", "model.layers.0.attn.bias", "vision.weight"})
    EXPECT_TRUE(with(name)) << name;
}

// Tensors of other types are carried along; only where one is needed the model is refused.
TEST_F(Files, TensorsOfOtherTypesAreRefusedWhereTheyAreNeeded) {
  static const std::vector<int64_t> ids(48);
  const auto load = [&](const char* name, DType dtype, std::vector<int64_t> shape) {
    size_t size = tensor::info(dtype).bytes;
    for (const int64_t d : shape) size *= static_cast<size_t>(d);
    const auto bytes = std::as_bytes(std::span(ids)).first(size);
    Values others = weights_;
    others.erase(name);
    tests::write_folder(dir_ / "hf", config_, others, {{name, dtype, std::move(shape), bytes}});
    return Model::load(dir_ / "hf");
  };
  const auto memory = Model::from_weights(config_, weights_).value();
  for (const auto& [name, dtype] : {std::pair("model.rotary_emb.position_ids", DType::kI64),
                                    {"model.layers.0.attn.attention.bias", DType::kU8},
                                    {"model.layers.0.self_attn.mask", DType::kBool}}) {
    const auto model = load(name, dtype, {1, 7});
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->weights_hash(), memory.weights_hash());
    EXPECT_EQ(model->file()->find(name)->dtype, dtype);
  }
  for (const DType dtype : {DType::kI64, DType::kF64, DType::kF8_E4M3}) {
    const auto refused = load("model.norm.weight", dtype, {32});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
    EXPECT_THAT(refused.error().message,
                HasSubstr(fmt::format("model.norm.weight has type {}", tensor::info(dtype).name)));
  }
}

TEST_F(Files, WhatIsNoWholeModelIsSaid) {
  auto part = gguf_of(config_, weights_, DType::kF32);
  part.u32("split.count", 3), part.u32("split.no", 1);
  EXPECT_THAT(load_error(write(part)).message, testing::HasSubstr("part 2 of 3"));
  auto adapter = gguf_of(config_, weights_, DType::kF32);
  adapter.text("general.type", "adapter");
  EXPECT_THAT(load_error(write(adapter)).message, testing::HasSubstr("'adapter'"));
}

// As old files of Phi have them: biases too, and permuted rows where the family permutes.
TEST_F(Files, QueriesKeysAndValuesMayBeOneMatrix) {
  for (const char* family : {"phi", "llama"}) {
    const Arch arch = tests::tiny_arch_of(family);
    const auto load = [&](const Arch& a) {
      tests::write_bytes(path_, *tests::family_gguf(a, DType::kF32, tests::FusedQkv::kYes));
      return Model::load(path_);
    };
    const auto model = load(arch);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->weights_hash(), tests::wave_model(arch)->weights_hash());
    const auto parts = names_from_gguf(arch, "blk.1.attn_qkv.weight");
    ASSERT_EQ(parts.size(), 3U);
    for (const std::string& name : parts)
      EXPECT_EQ(fused_name(arch, name), "blk.1.attn_qkv.weight");
  }
  EXPECT_FALSE(fused_name(config_, "model.layers.1.mlp.down_proj.weight"));
  EXPECT_TRUE(names_from_gguf(config_, "attn_qkv.weight").empty());
  auto odd = gguf_of(config_, weights_, DType::kF32, "model.layers.1.self_attn.q_proj.weight");
  odd.tensor("blk.1.attn_qkv.weight", {60, 32}, std::vector<float>(60 * 32));
  EXPECT_THAT(load_error(write(odd)).message,
              HasSubstr("layers.1.self_attn.q_proj.weight is missing"));
}

// Llama 3.1 and later carry their rope scaling as a tensor of divisors.
TEST_F(Files, RopeFactorsOfAGgufAreTheScalingOfTheirConfig) {
  const Rope plain{.theta = 500000};
  const Rope scaled{
      .theta = 500000, .scaling = Rope::Scaling::kLlama3, .factor = 8, .original_context = 8192};
  std::vector<float> factors;
  for (size_t i = 0; i < 4; ++i)
    factors.push_back(
        static_cast<float>(frequencies(plain, 8, 0)[i] / frequencies(scaled, 8, 0)[i]));
  ASSERT_EQ(factors.back(), 8);
  auto b = gguf_of(config_, weights_, DType::kF32);
  b.f32("llama.rope.freq_base", 500000);
  b.tensor("rope_freqs.weight", {4}, factors);
  const auto model = Model::load(write(b));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->arch().ropes, std::vector{scaled});
  auto odd = gguf_of(config_, weights_, DType::kF32);
  odd.tensor("rope_freqs.weight", {4}, {1, 2, 1, 8});
  EXPECT_EQ(load_error(write(odd)).code, Code::kUnsupported);
}

TEST_F(Files, EditsNeverReachTheFileAndAreUndoneBitForBit) {
  const std::string before = write(gguf_of(config_, weights_, DType::kQ4_1));
  const std::string image = base::read_file(before).value();
  const auto model = Model::load(path_).value();
  const std::string hash = model.weights_hash(), name = "model.layers.1.mlp.down_proj.weight";
  const std::string q = "model.layers.0.self_attn.q_proj.weight";
  const Tensor old = model.param(name).value().clone();
  std::map<std::string, Tensor> values;
  for (const std::string& n : {name, q}) values[n] = model.param(n).value() + 1e-3;
  const Model edited = model.with(values);
  EXPECT_NE(edited.weights_hash(), hash);
  EXPECT_THAT(edited.edited(), testing::UnorderedElementsAre(name, q));
  EXPECT_FALSE(edited.param(name).in_blocks());
  EXPECT_TRUE(at::equal(model.param(name).value(), old));
  EXPECT_TRUE(model.param(name).in_blocks() && model.param(q).in_blocks());
  EXPECT_EQ(model.weights_hash(), hash);
  EXPECT_EQ(edited.base().weights_hash(), hash);
  EXPECT_TRUE(edited.base().edited().empty());
  EXPECT_EQ(base::read_file(path_).value(), image);
}

TEST_F(Files, SnapshotsShareWhatNoEditTouches) {
  const Model base = Model::load(write(gguf_of(config_, weights_, DType::kQ4_1))).value();
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  const Model one = base.with({{name, base.param(name).value() + 1}});
  const Model two = one.with({{"model.norm.weight", base.param("model.norm.weight").value() * 2}});
  for (const auto& [n, param] : base.weights()) {
    EXPECT_EQ(&one.param(n) == param.get(), n != name) << n;
    EXPECT_EQ(&two.param(n) == &one.param(n), n != "model.norm.weight") << n;
  }
}

// Quantised matrices stay in the file; float32 values live as long as who asked keeps them.
TEST_F(Files, BlocksStayInTheFile) {
  const Model model = Model::load(write(gguf_of(config_, weights_, DType::kQ4_1))).value();
  const std::string down = "model.layers.1.mlp.down_proj.weight";
  const auto& map = *model.file()->maps().at(0);
  const std::byte* at = model.param(down).matrix().bytes.data();
  EXPECT_TRUE(at >= map.bytes().data() && at < map.bytes().data() + map.bytes().size());
  EXPECT_NE(model.param(down).value().data_ptr(), model.param(down).value().data_ptr());
  const Model edited = model.with({{down, model.param(down).value()}});
  EXPECT_EQ(edited.param(down).value().data_ptr(), edited.param(down).value().data_ptr());
  EXPECT_EQ(edited.weights_hash(), model.weights_hash());
}

// With rounded activations an edited matrix counts as what an export writes for it: the same bits
// as from a file that has the edit.
TEST_F(Files, RoundedActivationsSeeWhatAnExportWrites) {
  const std::vector<int32_t> ids = {3, 14, 15, 9, 26};
  const std::string down = "model.layers.1.mlp.down_proj.weight";
  const auto logits = [&](const Model& model) {
    Runner runner(model);
    Sequence sequence;
    const Chunk chunk{&sequence, ids};
    return runner.logits(runner.forward({&chunk, 1}));
  };
  const Model base = Model::load(write(gguf_of(config_, weights_, DType::kQ4_1))).value();
  const Model edited = base.with({{down, base.param(down).value() * 1.1}});
  const Model q8 = edited.computing(tensor::Activations::kQ8);
  EXPECT_EQ(q8.weights_hash(), edited.weights_hash());
  EXPECT_EQ(q8.param(down).written_matrix().dtype, DType::kQ4_1);
  EXPECT_EQ(q8.param(down).matrix().dtype, DType::kF32);
  const Tensor got = logits(q8), in_floats = logits(edited);
  EXPECT_GT(tests::relative_l2(floats(got), floats(in_floats)), 1e-4);
  EXPECT_LT(tests::relative_l2(floats(got), floats(in_floats)), 0.1);

  Values values;
  for (const auto& [name, param] : edited.weights()) values[name] = param->value();
  path_ = dir_ / "edited.gguf";
  const Model written = Model::load(write(gguf_of(config_, values, DType::kQ4_1))).value();
  EXPECT_TRUE(at::equal(logits(written.computing(tensor::Activations::kQ8)), got));
  EXPECT_NE(q8.answer_key().value(), edited.answer_key().value());
}

TEST(Model, TheHashSeesEveryTensor) {
  const auto model = tests::random_model(1);
  const std::string hash = model->weights_hash();
  EXPECT_EQ(tests::random_model(1)->weights_hash(), hash);
  EXPECT_NE(tests::random_model(2)->weights_hash(), hash);
  for (const auto& [name, param] : model->weights()) {
    Tensor changed = param->value().clone();
    changed.data_ptr<float>()[0] = std::nextafter(changed.data_ptr<float>()[0], 9.0F);
    EXPECT_NE(model->with({{name, changed}}).weights_hash(), hash) << name;
  }
  EXPECT_EQ(model->weights_hash(), hash);
  EXPECT_EQ(model->weight_bytes() % 4, 0U);
}

TEST(Model, MisuseIsABug) {
  const auto model = tests::random_model(1);
  EXPECT_THROW(model->param("no.such"), base::Bug);
  EXPECT_THROW(model->with({{"model.norm.weight", at::ones({3}, tensor::f32())}}), base::Bug);
  EXPECT_THROW(model->with({{"no.such", at::ones({3}, tensor::f32())}}), base::Bug);
}

TEST(Model, MissingAndCircularPathsAreErrors) {
  const TempDir dir;
  EXPECT_EQ(Model::load(dir / "none.gguf").error().code, Code::kNotFound);
  EXPECT_EQ(Model::load(dir.path()).error().code, Code::kNotFound);
  std::filesystem::create_symlink("circle", dir / "circle");
  EXPECT_EQ(Model::load(dir / "circle").error().code, Code::kIo);
}

TEST(Names, MapBothWays) {
  const Arch arch = tests::tiny_arch();
  for (const auto& [name, shape] : expected_tensors(arch)) {
    const auto gguf = name_to_gguf(arch, name);
    ASSERT_TRUE(gguf) << name;
    EXPECT_EQ(name_from_gguf(arch, *gguf), name);
  }
  EXPECT_EQ(name_to_gguf(arch, "model.layers.7.mlp.down_proj.weight"), "blk.7.ffn_down.weight");
  EXPECT_EQ(layer_of(arch, "model.layers.7.mlp.down_proj.weight"), 7);
  EXPECT_EQ(layer_of(arch, "model.norm.weight"), std::nullopt);
  for (const char* bad : {"blk..ffn_down.weight", "blk.x.ffn_down.weight", "blk.1", "",
                          "blk.-1.ffn_down.weight", "blk.99999999999999999999.ffn_down.weight"})
    EXPECT_EQ(name_from_gguf(arch, bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace expunge::model
