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
constexpr std::string_view kJsonKeys[] = {"activation_function",
                                          "alibi",
                                          "attention_bias",
                                          "attention_chunk_size",
                                          "attention_multiplier",
                                          "attention_types",
                                          "attn_logit_softcapping",
                                          "attn_temperature_tuning",
                                          "clip_qkv",
                                          "embedding_multiplier",
                                          "final_logit_softcapping",
                                          "hidden_act",
                                          "hidden_activation",
                                          "is_encoder_decoder",
                                          "layer_types",
                                          "logit_scale",
                                          "logits_scaling",
                                          "mlp_bias",
                                          "n_routed_experts",
                                          "no_rope_layers",
                                          "num_experts",
                                          "num_kv_shared_layers",
                                          "num_local_experts",
                                          "partial_rotary_factor",
                                          "qk_layernorm",
                                          "quantization_config",
                                          "query_pre_attn_scalar",
                                          "residual_multiplier",
                                          "rope_interleaved",
                                          "rope_local_base_freq",
                                          "rope_parameters",
                                          "rope_scaling",
                                          "sliding_window",
                                          "sliding_window_pattern",
                                          "use_bias",
                                          "use_bidirectional_attention",
                                          "use_qk_norm",
                                          "use_sliding_window",
                                          "window_size"};

// The same of a GGUF, after "<architecture>.".
constexpr std::string_view kGgufKeys[] = {"attention.causal",
                                          "attention.clamp_kqv",
                                          "attention.max_alibi_bias",
                                          "attention.scale",
                                          "attention.sliding_window",
                                          "attention.sliding_window_pattern",
                                          "attn_logit_softcapping",
                                          "embedding_scale",
                                          "expert_count",
                                          "expert_used_count",
                                          "final_logit_softcapping",
                                          "logit_scale",
                                          "residual_scale",
                                          "rope.dimension_count",
                                          "rope.dimension_sections",
                                          "rope.freq_base_swa",
                                          "rope.scale_linear",
                                          "rope.scaling.attn_factor",
                                          "rope.scaling.factor",
                                          "rope.scaling.original_context_length",
                                          "rope.scaling.type",
                                          "rope.scaling.yarn_attn_factor",
                                          "rope.scaling.yarn_beta_fast",
                                          "rope.scaling.yarn_beta_slow",
                                          "rope.scaling.yarn_ext_factor",
                                          "rope.scaling.yarn_log_multiplier",
                                          "tensor_data_layout",
                                          "use_parallel_residual"};

bool neutral(const Json& v) {
  if (v.is_null() || (v.is_boolean() && !v.get<bool>())) return true;
  if (v.is_number()) return v.get<double>() == 0 || v.get<double>() == 1;
  return (v.is_string() || v.is_structured()) && v.empty();
}

bool neutral(const tensor::GgufMeta::Value& v) {
  if (const auto* n = std::get_if<uint64_t>(&v)) return *n <= 1;
  if (const auto* n = std::get_if<int64_t>(&v)) return *n == 0 || *n == 1;
  if (const auto* n = std::get_if<double>(&v)) return *n == 0 || *n == 1;
  if (const auto* b = std::get_if<bool>(&v)) return !*b;
  if (const auto* s = std::get_if<std::string_view>(&v)) return s->empty() || *s == "none";
  return false;
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
  for (const std::string_view key : kJsonKeys)
    if (const auto it = json_.find(std::string(key));
        it != json_.end() && !read_.contains(key) && !neutral(*it))
      return fail(Code::kUnsupported,
                  fmt::format("config.json: {} {} is not supported", key,
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

std::string GgufConfig::text(std::string_view key, std::string fallback) const {
  return meta_.text_or(name(key), std::move(fallback));
}

Status GgufConfig::refuse_unread() const {
  for (const std::string_view key : kGgufKeys) {
    const auto it = meta_.values.find(prefix_ + std::string(key));
    if (it != meta_.values.end() && !read_.contains(key) && !neutral(it->second))
      return fail(Code::kUnsupported, fmt::format("the GGUF's {} is not supported", it->first),
                  "this architecture is known without it");
  }
  return {};
}

}  // namespace expunge::model
