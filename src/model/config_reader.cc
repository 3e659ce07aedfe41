#include "model/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/tensor_file.h"

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

// What a config.json may say that changes the computation and that not every family knows.
constexpr ComputingKey kJsonKeys[] = {
    {"activation_function", "null"},
    {"alibi", "false"},
    {"attention_bias", "false"},
    {"attention_chunk_size", "0"},
    {"attention_multiplier", "null"},
    {"attention_types", "null"},
    {"attn_logit_softcapping", "0"},
    {"attn_temperature_tuning", "false"},
    {"clip_qkv", "0"},
    {"embedding_multiplier", "1"},
    {"final_logit_softcapping", "0"},
    {"hidden_act", "null"},
    {"hidden_activation", "null"},
    {"is_encoder_decoder", "false"},
    {"layer_types", R"("full_attention")"},
    {"logit_scale", "1"},
    {"logits_scaling", "1"},
    {"mlp_bias", "false"},
    {"n_routed_experts", "0"},
    {"no_rope_layers", "1"},
    {"num_experts", "0"},
    {"num_kv_shared_layers", "0"},
    {"num_local_experts", "0"},
    {"partial_rotary_factor", "1"},
    {"qk_layernorm", "false"},
    {"quantization_config", "null"},
    {"query_pre_attn_scalar", "null"},
    {"residual_multiplier", "1"},
    {"rope_interleaved", "false"},
    {"rope_local_base_freq", "null"},
    {"rope_parameters", "null"},
    {"rope_scaling", "null"},
    {"sliding_window", "0"},
    {"sliding_window_pattern", "1"},
    {"use_bias", "false"},
    {"use_bidirectional_attention", "false"},
    {"use_qk_norm", "false"},
    {"use_sliding_window", "false"},
    {"window_size", "0"},
};

// The same of a GGUF, after "<architecture>.".
constexpr ComputingKey kGgufKeys[] = {
    {"attention.causal", "true"},
    {"attention.clamp_kqv", "0"},
    {"attention.max_alibi_bias", "0"},
    {"attention.scale", "0"},
    {"attention.sliding_window", "0"},
    {"attention.sliding_window_pattern", "1"},
    {"attn_logit_softcapping", "0"},
    {"embedding_scale", "[0,1]"},
    {"expert_count", "0"},
    {"expert_used_count", "0"},
    {"final_logit_softcapping", "0"},
    {"logit_scale", "[0,1]"},
    {"residual_scale", "[0,1]"},
    {"rope.dimension_count", "0"},
    {"rope.dimension_sections", "0"},
    {"rope.freq_base_swa", "10000"},
    {"rope.scale_linear", "[0,1]"},
    {"rope.scaling.attn_factor", "1"},
    {"rope.scaling.factor", "[0,1]"},
    {"rope.scaling.original_context_length", "0"},
    {"rope.scaling.type", R"("none")"},
    {"rope.scaling.yarn_attn_factor", "1"},
    {"rope.scaling.yarn_beta_fast", "32"},
    {"rope.scaling.yarn_beta_slow", "1"},
    {"rope.scaling.yarn_ext_factor", "[0,1]"},
    {"rope.scaling.yarn_log_multiplier", "0"},
    {"tensor_data_layout", R"(["reference","Meta AI original pth"])"},
    {"use_parallel_residual", "false"},
};

bool is_off(const Json& v) { return v == Json(0) || v == Json(false); }

// Whether a value says what holds without the key. Of a list every element has to.
bool neutral(const Json& v, const Json& usual) {
  if (v.is_null() || v == usual || (is_off(v) && is_off(usual))) return true;
  if (v == Json("") || (v.is_object() && v.empty())) return true;
  const auto one_of = [&](const Json& u) { return neutral(v, u); };
  if (usual.is_array()) return std::ranges::any_of(usual, one_of);
  return v.is_array() && std::ranges::all_of(v, [&](const Json& e) { return neutral(e, usual); });
}

bool neutral(const Json& v, const ComputingKey& key) {
  return neutral(v, Json::parse(key.neutral));
}

Status corrupt(std::string_view key, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("config.json: {} {}", key, what));
}

}  // namespace

bool JsonConfig::has(const char* key) const {
  read_.insert(key);
  return json_.contains(key) && !json_[key].is_null();
}

Result<double> JsonConfig::number(const char* key, std::optional<double> fallback) const {
  if (!has(key)) {
    if (fallback) return *fallback;
    TRY(corrupt(key, "is missing"));
  }
  if (!json_[key].is_number()) TRY(corrupt(key, "is not a number"));
  return json_[key].get<double>();
}

Result<int64_t> JsonConfig::integer(const char* key, std::optional<int64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  const double value = TRY(number(key));
  if (!(std::abs(value) <= 0x1p53) || value != std::floor(value))
    TRY(corrupt(key, fmt::format("is {}", value)));
  return static_cast<int64_t>(value);
}

Result<std::string> JsonConfig::text(const char* key, std::string fallback) const {
  if (!has(key)) return fallback;
  if (!json_[key].is_string()) TRY(corrupt(key, "is not a string"));
  return json_[key].get<std::string>();
}

Result<bool> JsonConfig::flag(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!json_[key].is_boolean()) TRY(corrupt(key, "is neither true nor false"));
  return json_[key].get<bool>();
}

Result<Json> JsonConfig::object(const char* key) const {
  if (!has(key)) return Json::object();
  if (!json_[key].is_object()) TRY(corrupt(key, "is not an object"));
  return json_[key];
}

Result<std::vector<std::string>> JsonConfig::texts(const char* key) const {
  std::vector<std::string> result;
  if (!has(key)) return result;
  if (!json_[key].is_array()) TRY(corrupt(key, "is not a list"));
  for (const Json& v : json_[key]) {
    if (!v.is_string()) TRY(corrupt(key, "holds what is not a string"));
    result.push_back(v.get<std::string>());
  }
  return result;
}

Status JsonConfig::refuse_unread() const {
  for (const ComputingKey& key : kJsonKeys)
    if (const auto it = json_.find(std::string(key.name));
        it != json_.end() && !read_.contains(key.name) && !neutral(*it, key))
      return fail(Code::kUnsupported,
                  fmt::format("config.json: {} {} is not supported", key.name,
                              base::dump_json(*it).substr(0, 60)),
                  "this family is known without it");
  return {};
}

std::string GgufConfig::name(std::string_view key) const {
  read_.insert(std::string(key));
  return prefix_ + std::string(key);
}

bool GgufConfig::has(std::string_view key) const { return meta_.has(name(key)); }

Result<int64_t> GgufConfig::integer(std::string_view key, std::optional<int64_t> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return meta_.integer(name(key));
}

Result<double> GgufConfig::number(std::string_view key, std::optional<double> fallback) const {
  if (fallback && !has(key)) return *fallback;
  return meta_.real(name(key));
}

Result<std::string> GgufConfig::text(std::string_view key, std::string fallback) const {
  if (!has(key)) return fallback;
  return meta_.text(name(key));
}

Status GgufConfig::refuse_unread() const {
  for (const ComputingKey& key : kGgufKeys) {
    const auto it = meta_.values.find(prefix_ + std::string(key.name));
    if (it == meta_.values.end() || read_.contains(key.name)) continue;
    const Json value = std::visit([](const auto& v) { return Json(v); }, it->second);
    if (!neutral(value, key))
      return fail(Code::kUnsupported,
                  fmt::format("the GGUF's {} {} is not supported", it->first,
                              base::dump_json(value).substr(0, 60)),
                  "this architecture is known without it");
  }
  return {};
}

std::span<const ComputingKey> json_computing_keys() { return kJsonKeys; }
std::span<const ComputingKey> gguf_computing_keys() { return kGgufKeys; }

}  // namespace expunge::model
