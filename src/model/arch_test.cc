#include "model/arch.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "tensor/tensor_file.h"

namespace expunge::model {
namespace {

using base::Code;
using base::Json;
using testing::HasSubstr;

Json sound() {
  return Json::parse(R"({"model_type":"llama","num_hidden_layers":2,"hidden_size":32,
    "intermediate_size":48,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":64,
    "max_position_embeddings":128,"rope_theta":5e5,"rms_norm_eps":1e-5,"eos_token_id":[3,4]})");
}
Json with(const char* key, Json value) {
  Json json = sound();
  json[key] = std::move(value);
  return json;
}

TEST(Arch, ReadsConfigJson) {
  const Arch c = arch_from_hf(sound(), {}).value();
  EXPECT_EQ(c.head_dim, 8);
  EXPECT_EQ(c.ropes.at(0).theta, 5e5);
  EXPECT_THAT(c.end_ids, testing::ElementsAre(3, 4));
  EXPECT_THAT(arch_from_hf(sound(), {{"eos_token_id", 9}})->end_ids, testing::ElementsAre(9));
  Json bare = sound();
  bare.erase("num_key_value_heads");
  bare["head_dim"] = nullptr;
  EXPECT_EQ(arch_from_hf(bare, {})->n_kv_heads, 4);
  EXPECT_EQ(arch_from_hf(bare, {})->head_dim, 8);
}

TEST(Arch, ReadsBothSpellingsOfTheRotaryParameters) {
  const Json scaling = {{"rope_type", "llama3"},
                        {"factor", 32.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 8192}};
  Json fresh = sound(), old = with("rope_scaling", scaling);
  fresh.erase("rope_theta");
  fresh["rope_parameters"] = {{"rope_theta", 100000}, {"rope_type", "default"}};
  EXPECT_EQ(arch_from_hf(fresh, {})->ropes.at(0).theta, 100000);
  EXPECT_EQ(arch_from_hf(fresh, {})->ropes.at(0).scaling, Rope::Scaling::kNone);
  fresh["rope_parameters"] = scaling;
  fresh["rope_parameters"]["rope_theta"] = 5e5;
  for (const Json& json : {fresh, old}) {
    const Arch c = arch_from_hf(json, {}).value();
    EXPECT_EQ(c.ropes.at(0).theta, 5e5);
    EXPECT_EQ(c.ropes.at(0).scaling, Rope::Scaling::kLlama3);
    EXPECT_EQ(c.ropes.at(0).factor, 32);
  }
}

// As a GGUF's factor without a type.
TEST(Arch, AFactorWithoutATypeIsLinear) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Rope rope = arch_from_hf(with(key, {{"factor", 2}}), {})->ropes.at(0);
    EXPECT_EQ(rope.scaling, Rope::Scaling::kLinear) << key;
    EXPECT_EQ(rope.factor, 2) << key;
    EXPECT_EQ(arch_from_hf(with(key, {{"factor", 1}}), {})->ropes.at(0).scaling,
              Rope::Scaling::kNone);
    const Json stated = {{"rope_type", "default"}, {"factor", 2}};
    EXPECT_EQ(arch_from_hf(with(key, stated), {})->ropes.at(0).scaling, Rope::Scaling::kNone);
  }
}

TEST(Arch, SurvivesItsOwnJson) {
  Arch c = arch_from_hf(sound(), {}).value();
  c.ropes = {{.scaling = Rope::Scaling::kLlama3,
              .factor = 4,
              .original_context = 99,
              .low_freq_factor = 1,
              .high_freq_factor = 2}};
  c.tied_embeddings = true;
  const Arch back = arch_from_hf(arch_to_hf(c), {}).value();
  EXPECT_EQ(base::dump_json(arch_to_hf(back)), base::dump_json(arch_to_hf(c)));
  EXPECT_EQ(back.ropes.at(0).original_context, 99);
}

TEST(Arch, WrongTypesAndValuesNameTheKey) {
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"model_type", 5},
                                                 {"num_hidden_layers", "two"},
                                                 {"hidden_size", 1e300},
                                                 {"hidden_size", 32.5},
                                                 {"tie_word_embeddings", "yes"},
                                                 {"rope_scaling", 7},
                                                 {"rope_parameters", "x"},
                                                 {"rope_theta", Json::array()},
                                                 {"vocab_size", Json::object()},
                                                 {"hidden_act", 3},
                                                 {"attention_bias", 1}}) {
    const auto c = arch_from_hf(with(key, value), {});
    ASSERT_FALSE(c) << key;
    EXPECT_EQ(c.error().code, Code::kCorrupt) << key;
    EXPECT_THAT(c.error().message, HasSubstr(key));
  }
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"num_hidden_layers", 0},
                                                 {"num_hidden_layers", -1},
                                                 {"hidden_size", 1 << 30},
                                                 {"num_key_value_heads", 3},
                                                 {"head_dim", 7},
                                                 {"rope_theta", 0},
                                                 {"rms_norm_eps", 0},
                                                 {"vocab_size", -5},
                                                 {"max_position_embeddings", 0}})
    EXPECT_EQ(arch_from_hf(with(key, value), {}).error().code, Code::kCorrupt) << key;
  for (const char* missing : {"num_hidden_layers", "hidden_size", "intermediate_size",
                              "num_attention_heads", "vocab_size"}) {
    Json json = sound();
    json.erase(missing);
    EXPECT_THAT(arch_from_hf(json, {}).error().message, HasSubstr(missing));
  }
  for (const Json& json : {Json(), Json(3), Json::array(), Json("x")})
    EXPECT_FALSE(arch_from_hf(json, {}));
}

// A key that changes the computation is read or refused by name.
TEST(Arch, WhatIsNotComputedIsUnsupported) {
  for (const auto& [key, value] : std::vector<std::pair<const char*, Json>>{
           {"model_type", "mamba"},
           {"hidden_act", "gelu"},
           {"rope_scaling", {{"type", "longrope"}, {"factor", 2.0}}},
           {"use_bidirectional_attention", true},
           {"sliding_window", 4096},
           {"layer_types", {"sliding_attention", "full_attention"}},
           {"attn_logit_softcapping", 50.0},
           {"final_logit_softcapping", 30.0},
           {"num_local_experts", 8},
           {"clip_qkv", 8.0},
           {"embedding_multiplier", 12.0},
           {"quantization_config", {{"quant_method", "gptq"}}},
           {"use_qk_norm", true},
           {"qk_layernorm", true},
           {"no_rope_layers", {1, 0}},
           {"query_pre_attn_scalar", 128}}) {
    const auto c = arch_from_hf(with(key, value), {});
    ASSERT_FALSE(c) << key;
    EXPECT_EQ(c.error().code, Code::kUnsupported) << key;
    const std::map<std::string, std::string> said = {
        {"model_type", "mamba"}, {"hidden_act", "gelu"}, {"rope_scaling", "longrope"}};
    const auto other = said.find(key);
    EXPECT_THAT(c.error().message, HasSubstr(other == said.end() ? key : other->second));
  }
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"sliding_window", nullptr},
                                                 {"num_local_experts", 0},
                                                 {"logit_scale", 1.0},
                                                 {"use_qk_norm", false}})
    EXPECT_TRUE(arch_from_hf(with(key, value), {})) << key;
}

TEST(Arch, UnknownArchitecturesListTheKnown) {
  EXPECT_THAT(arch_from_hf(with("model_type", "mamba"), {}).error().hint,
              testing::AllOf(HasSubstr("llama"), HasSubstr("gemma3_text"), HasSubstr("phi")));
}

TEST(Arch, HostileEndTokensAreLeftOut) {
  const Json ids = {1, -1, 1e30, "x", 5000000000, nullptr, 2};
  EXPECT_THAT(arch_from_hf(with("eos_token_id", ids), {})->end_ids, testing::ElementsAre(1, 2));
}

TEST(Arch, RopeScalingMustMakeSense) {
  for (const auto& [factor, low, high, original] : {std::tuple{0.5, 1.0, 4.0, 8192.0},
                                                    {8.0, 4.0, 4.0, 8192.0},
                                                    {8.0, 0.0, 4.0, 8192.0},
                                                    {8.0, 1.0, 4.0, 0.0}}) {
    const Json scaling = {{"rope_type", "llama3"},
                          {"factor", factor},
                          {"low_freq_factor", low},
                          {"high_freq_factor", high},
                          {"original_max_position_embeddings", original}};
    EXPECT_EQ(arch_from_hf(with("rope_scaling", scaling), {}).error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace expunge::model
