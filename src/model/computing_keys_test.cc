// Every key that changes the computation, in both languages and every family: read, or refused by
// its name.
#include <gmock/gmock.h>

#include <map>

#include "model/config_reader.h"
#include "tiny_meta.h"

namespace expunge::model {
namespace {

using base::Code;
using base::Json;
using base::Result;
using testing::HasSubstr;

// Values that say something else than the neutral one.
Json other_values(const ComputingKey& key) {
  static const std::map<std::string_view, const char*> own = {
      {"activation_function", R"(["silu","gelu_new"])"},
      {"hidden_act", R"(["silu","gelu_new"])"},
      {"hidden_activation", R"(["silu","gelu_new"])"},
      {"attention_types", R"([[[["global"],2]]])"},
      {"layer_types", R"([["sliding_attention","full_attention"]])"},
      {"no_rope_layers", "[[0,1]]"},
      {"partial_rotary_factor", "[0.25]"},
      {"quantization_config", R"([{"quant_method":"gptq"}])"},
      {"rope_parameters", R"([{"rope_type":"linear","factor":3}])"},
      {"rope_scaling", R"([{"type":"linear","factor":3},{"factor":3}])"},
      {"use_sliding_window", "[true,false]"},
      {"rope.dimension_count", "[2]"},
      {"rope.scaling.type", R"(["linear"])"},
      {"tensor_data_layout", R"(["another"])"}};
  if (const auto found = own.find(key.name); found != own.end()) return Json::parse(found->second);
  const Json neutral = Json::parse(key.neutral);
  return Json::array({neutral.is_boolean() ? Json(!neutral.get<bool>()) : Json(3)});
}

bool says_other(const Result<Arch>& got, const Arch& without, std::string_view key) {
  if (got) return base::dump_json(arch_to_hf(*got)) != base::dump_json(arch_to_hf(without));
  return got.error().message.find(key) != std::string::npos;
}

class ComputingKeys : public testing::TestWithParam<std::string> {
 protected:
  // The family's first golden, and what another key in it would keep from being seen.
  std::vector<Json> configs() const {
    Json config = Json::parse(tests::family_case(GetParam()).at("config").get<std::string>());
    if (GetParam().starts_with("qwen")) {
      config.erase("layer_types");
      config["sliding_window"] = 5, config["max_window_layers"] = 0;
      config["use_sliding_window"] = true;
    }
    Json bare = config;
    for (const char* key : {"rope_parameters", "layer_types"}) bare.erase(key);
    return {config, bare};
  }
};

TEST_P(ComputingKeys, OfConfigJsonAreReadOrRefusedByName) {
  for (const ComputingKey& key : json_computing_keys()) {
    if (GetParam() == "mistral" && key.name == "layer_types") continue;  // as transformers
    bool seen = false;
    for (const Json& config : configs())
      for (const Json& value : other_values(key)) {
        Json changed = config;
        changed[std::string(key.name)] = value;
        seen = seen ||
               says_other(arch_from_hf(changed, {}), arch_from_hf(config, {}).value(), key.name);
      }
    EXPECT_TRUE(seen) << key.name;
  }
}

TEST_P(ComputingKeys, OfConfigJsonMayBeNullOrNeutral) {
  for (const ComputingKey& key : json_computing_keys()) {
    const Json config = configs()[0], neutral = Json::parse(key.neutral);
    if (config.contains(key.name) || neutral.is_string()) continue;
    for (const Json& value : {Json(), neutral}) {
      Json same = config;
      same[std::string(key.name)] = value;
      const auto got = arch_from_hf(same, {});
      EXPECT_TRUE(got) << key.name << ": " << got.error().message;
    }
  }
}

// The family's first golden as a GGUF, scaled where the key is one of scaling; empty where
// llama.cpp does not know the family.
Json gguf_keys(const std::string& family, std::string_view key) {
  const Json golden = tests::family_case(family).at("gguf");
  if (golden.is_null()) return {};
  const auto word = golden.at("architecture").get<std::string>();
  Json keys = {{"general.architecture", word}};
  for (const auto& [name, value] : golden.at("metadata").items())
    if (name.find("rope.scaling") == name.npos) keys[name] = value;
  if (!key.starts_with("rope.scaling.")) return keys;
  keys[word + ".rope.scaling.type"] = "yarn", keys[word + ".rope.scaling.factor"] = 4;
  return keys;
}

TEST_P(ComputingKeys, OfAGgufAreReadOrRefusedByName) {
  for (const ComputingKey& key : gguf_computing_keys()) {
    const Json keys = gguf_keys(GetParam(), key.name);
    if (keys.is_null()) return;
    const std::string name =
        keys["general.architecture"].get<std::string>() + "." + std::string(key.name);
    for (const Json& value : other_values(key)) {
      Json changed = keys;
      changed[name] = value;
      EXPECT_TRUE(says_other(arch_from_gguf(tests::gguf_meta(changed)),
                             arch_from_gguf(tests::gguf_meta(keys)).value(), key.name))
          << key.name;
    }
    const Json neutral = Json::parse(key.neutral);
    for (const Json& value : neutral.is_array() ? neutral : Json::array({neutral})) {
      Json same = gguf_keys(GetParam(), "");
      same[name] = value;
      const auto got = arch_from_gguf(tests::gguf_meta(same));
      EXPECT_TRUE(got) << key.name << ": " << got.error().message;
    }
  }
}

// The magnitude itself, which the converter writes; without it what llama.cpp computes.
TEST(GgufKeys, YarnsOwnFactorIsItsMagnitude) {
  Json keys = gguf_keys("llama", "rope.scaling.type");
  EXPECT_DOUBLE_EQ(arch_from_gguf(tests::gguf_meta(keys))->ropes.at(0).magnitude,
                   1 + 0.1 * std::log(4));
  keys["llama.rope.scaling.yarn_attn_factor"] = 1.3;
  EXPECT_EQ(arch_from_gguf(tests::gguf_meta(keys))->ropes.at(0).magnitude, 1.3);
  keys["llama.rope.scaling.type"] = "linear";
  EXPECT_THAT(arch_from_gguf(tests::gguf_meta(keys)).error().message,
              HasSubstr("yarn_attn_factor 1.3"));
}

// llama.cpp refuses it too: "invalid n_rot".
TEST(GgufKeys, APartlyRotatedLlamaIsNoGguf) {
  Json keys = gguf_keys("llama", "");
  keys["llama.rope.dimension_count"] = 4;
  const auto refused = arch_from_gguf(tests::gguf_meta(keys));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("llama.rope.dimension_count is 4"));
  EXPECT_EQ(arch_from_gguf(tests::gguf_meta(gguf_keys("phi", "")))->rotary(), 4);
}

INSTANTIATE_TEST_SUITE_P(Families, ComputingKeys, testing::ValuesIn(tests::family_names()),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace expunge::model
