#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/family.h"
#include "tensor/tensor_file.h"

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// A number of config.json, or the fallback when the key is absent or null.
Result<double> number(const Json& json, const char* key, std::optional<double> fallback = {}) {
  if (!json.contains(key) || json[key].is_null()) {
    if (fallback) return *fallback;
    return fail(Code::kCorrupt, fmt::format("config.json: {} is missing", key));
  }
  if (!json[key].is_number())
    return fail(Code::kCorrupt, fmt::format("config.json: {} is no number", key));
  return json[key].get<double>();
}

// A whole number within ±2^53, which a double holds exactly.
Result<int64_t> integer(const Json& json, const char* key, std::optional<double> fallback = {}) {
  const double value = TRY(number(json, key, fallback));
  if (!(std::abs(value) <= 0x1p53) || value != std::floor(value))
    return fail(Code::kCorrupt, fmt::format("config.json: {} is {}", key, value));
  return static_cast<int64_t>(value);
}

Result<std::string> text(const Json& json, const char* key, std::string fallback) {
  if (!json.contains(key) || json[key].is_null()) return fallback;
  if (!json[key].is_string())
    return fail(Code::kCorrupt, fmt::format("config.json: {} is no string", key));
  return json[key].get<std::string>();
}

Result<bool> flag(const Json& json, const char* key) {
  if (!json.contains(key) || json[key].is_null()) return false;
  if (!json[key].is_boolean())
    return fail(Code::kCorrupt, fmt::format("config.json: {} is no boolean", key));
  return json[key].get<bool>();
}

void add_ids(const Json& json, const char* key, std::vector<int32_t>& ids) {
  if (!json.is_object() || !json.contains(key)) return;
  const auto add = [&](const Json& id) {
    if (id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() <= INT32_MAX)
      ids.push_back(static_cast<int32_t>(id.get<int64_t>()));
  };
  if (json[key].is_array())
    for (const Json& id : json[key]) add(id);
  else
    add(json[key]);
}

// rope_theta and scaling: transformers 5 writes both into rope_parameters, its forerunners the base
// into rope_theta and the rest into rope_scaling.
base::Status read_rope(const Json& config, Config& c) {
  c.rope_theta = TRY(number(config, "rope_theta", 10000));
  const bool new_style = config.contains("rope_parameters") && !config["rope_parameters"].is_null();
  const char* key = new_style ? "rope_parameters" : "rope_scaling";
  if (!config.contains(key) || config[key].is_null()) return {};
  const Json& json = config[key];
  if (!json.is_object())
    return fail(Code::kCorrupt, fmt::format("config.json: {} is no object", key));
  c.rope_theta = TRY(number(json, "rope_theta", c.rope_theta));
  const std::string type = TRY(text(json, "rope_type", TRY(text(json, "type", "default"))));
  if (type == "default") return {};
  if (type != "llama3")
    return fail(Code::kUnsupported,
                fmt::format("rope scaling of type '{}' is not supported", type));
  RopeScaling s;
  s.factor = TRY(number(json, "factor"));
  s.low_freq_factor = TRY(number(json, "low_freq_factor"));
  s.high_freq_factor = TRY(number(json, "high_freq_factor"));
  s.original_context = TRY(integer(json, "original_max_position_embeddings"));
  c.rope_scaling = s;
  return {};
}

}  // namespace

base::Status validate(const Config& c) {
  const auto check = [](bool ok, const char* what, double got) -> base::Status {
    if (ok) return {};
    return fail(Code::kCorrupt, fmt::format("the model's {} is {}", what, got),
                "the model's configuration is damaged");
  };
  const auto positive = [&](int64_t n, int64_t most, const char* what) {
    return check(n > 0 && n <= most, what, static_cast<double>(n));
  };
  if (!find_family(c.family)) {
    std::string known;
    for (const Family* f : families()) known += (known.empty() ? "" : ", ") + std::string(f->name);
    return fail(Code::kUnsupported,
                fmt::format("models of family '{}' are not supported", c.family),
                "supported: " + known);
  }
  TRY(positive(c.n_layers, 1 << 10, "layer count"));
  TRY(positive(c.d_model, 1 << 17, "width"));
  TRY(positive(c.d_ff, 1 << 19, "feed-forward width"));
  TRY(positive(c.n_heads, 1 << 12, "head count"));
  TRY(positive(c.n_kv_heads, 1 << 12, "key/value head count"));
  TRY(positive(c.head_dim, 1 << 12, "head width"));
  TRY(positive(c.vocab_size, 1 << 24, "vocabulary size"));
  TRY(positive(c.context_length, int64_t{1} << 32, "context length"));
  TRY(check(c.n_heads % c.n_kv_heads == 0, "key/value head count",
            static_cast<double>(c.n_kv_heads)));
  TRY(check(c.head_dim % 2 == 0, "head width", static_cast<double>(c.head_dim)));
  TRY(check(std::isfinite(c.rope_theta) && c.rope_theta > 0, "rope theta", c.rope_theta));
  TRY(check(c.norm_eps > 0 && c.norm_eps < 1, "norm epsilon", c.norm_eps));
  if (const auto& s = c.rope_scaling) {
    TRY(check(std::isfinite(s->factor) && s->factor >= 1, "rope scaling factor", s->factor));
    TRY(check(s->low_freq_factor > 0 && std::isfinite(s->low_freq_factor), "low frequency factor",
              s->low_freq_factor));
    TRY(check(s->high_freq_factor > s->low_freq_factor && std::isfinite(s->high_freq_factor),
              "high frequency factor", s->high_freq_factor));
    TRY(positive(s->original_context, int64_t{1} << 32, "original context length"));
  }
  return {};
}

Result<Config> config_from_gguf(const tensor::GgufMeta& meta) {
  Config c;
  c.family = TRY(meta.text("general.architecture"));
  const auto key = [&](const char* name) { return c.family + "." + name; };
  c.n_layers = TRY(meta.integer(key("block_count")));
  c.d_model = TRY(meta.integer(key("embedding_length")));
  c.d_ff = TRY(meta.integer(key("feed_forward_length")));
  c.n_heads = TRY(meta.integer(key("attention.head_count")));
  c.n_kv_heads = meta.integer_or(key("attention.head_count_kv"), c.n_heads);
  c.head_dim =
      meta.integer_or(key("attention.key_length"), c.n_heads > 0 ? c.d_model / c.n_heads : 0);
  c.context_length = TRY(meta.integer(key("context_length")));
  c.rope_theta = meta.real_or(key("rope.freq_base"), 10000);
  c.norm_eps = TRY(meta.real(key("attention.layer_norm_rms_epsilon")));
  // float32 in the file: 1e-5 reads as 9.99999975e-06, which is what the reference computes with.
  c.vocab_size = static_cast<int64_t>(TRY(meta.texts("tokenizer.ggml.tokens")).size());
  for (const char* end : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"})
    if (const int64_t id = meta.integer_or(end, -1); id >= 0)
      c.end_ids.push_back(static_cast<int32_t>(id));
  if (meta.has(key("rope.scaling.type")) &&
      meta.text_or(key("rope.scaling.type"), "none") != "none")
    return fail(Code::kUnsupported, "rope scaling in a GGUF is not supported");
  TRY(validate(c));
  return c;
}

Result<Config> config_from_hf(const Json& config, const Json& generation_config) {
  if (!config.is_object()) return fail(Code::kCorrupt, "config.json: not an object");
  Config c;
  c.family = TRY(text(config, "model_type", ""));
  c.n_layers = TRY(integer(config, "num_hidden_layers"));
  c.d_model = TRY(integer(config, "hidden_size"));
  c.d_ff = TRY(integer(config, "intermediate_size"));
  c.n_heads = TRY(integer(config, "num_attention_heads"));
  c.n_kv_heads = TRY(integer(config, "num_key_value_heads", static_cast<double>(c.n_heads)));
  c.head_dim = TRY(
      integer(config, "head_dim", c.n_heads > 0 ? static_cast<double>(c.d_model / c.n_heads) : 0));
  c.vocab_size = TRY(integer(config, "vocab_size"));
  c.context_length = TRY(integer(config, "max_position_embeddings", 2048));
  // Within its window sliding attention equals full attention; beyond it, it is not supported.
  if (const int64_t window = TRY(integer(config, "sliding_window", 0)); window > 0)
    c.context_length = std::min(c.context_length, window);
  TRY(read_rope(config, c));
  c.norm_eps = TRY(number(config, "rms_norm_eps", 1e-6));
  c.tied_embeddings = TRY(flag(config, "tie_word_embeddings"));
  add_ids(generation_config, "eos_token_id", c.end_ids);
  if (c.end_ids.empty()) add_ids(config, "eos_token_id", c.end_ids);
  for (const char* bias : {"attention_bias", "mlp_bias"})
    if (TRY(flag(config, bias)))
      return fail(Code::kUnsupported, fmt::format("config.json: {} is not supported", bias));
  if (const std::string act = TRY(text(config, "hidden_act", "silu")); act != "silu")
    return fail(Code::kUnsupported,
                fmt::format("config.json: hidden_act '{}' is not supported", act));
  TRY(validate(c));
  return c;
}

Result<std::optional<RopeScaling>> rope_scaling_from_factors(const Config& c,
                                                             std::span<const float> factors) {
  RopeScaling s;  // 1, 4 and 8192 in every Llama 3; the factor is that of the longest wave
  s.factor = 1;
  for (const float f : factors) s.factor = std::max<double>(s.factor, f);
  bool same = static_cast<int64_t>(factors.size()) == c.head_dim / 2;
  for (size_t i = 0; same && i < factors.size(); ++i) {
    const double frequency =
        std::pow(c.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(c.head_dim));
    same = std::abs(frequency / scaled_frequency(s, frequency) / factors[i] - 1) < 1e-4;
  }
  if (!same) return fail(Code::kUnsupported, "rope_freqs.weight is not the scaling of a Llama 3");
  return s.factor == 1 ? std::nullopt : std::optional(s);
}

double scaled_frequency(const RopeScaling& s, double f) {
  const double turns = static_cast<double>(s.original_context) * f / (2 * std::numbers::pi);
  const double ramp =
      std::clamp((turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor), 0.0, 1.0);
  return (1 - ramp) * f / s.factor + ramp * f;
}

Json config_to_hf(const Config& c) {
  Json json = {{"architectures", {"LlamaForCausalLM"}},
               {"model_type", c.family},
               {"hidden_act", "silu"},
               {"num_hidden_layers", c.n_layers},
               {"hidden_size", c.d_model},
               {"intermediate_size", c.d_ff},
               {"num_attention_heads", c.n_heads},
               {"num_key_value_heads", c.n_kv_heads},
               {"head_dim", c.head_dim},
               {"vocab_size", c.vocab_size},
               {"max_position_embeddings", c.context_length},
               {"rope_theta", c.rope_theta},
               {"rms_norm_eps", c.norm_eps},
               {"tie_word_embeddings", c.tied_embeddings},
               {"torch_dtype", "float32"}};
  if (c.family == "mistral") json["architectures"] = {"MistralForCausalLM"};
  if (!c.end_ids.empty()) json["eos_token_id"] = c.end_ids;
  if (c.rope_scaling)
    json["rope_scaling"] = {{"rope_type", "llama3"},
                            {"factor", c.rope_scaling->factor},
                            {"low_freq_factor", c.rope_scaling->low_freq_factor},
                            {"high_freq_factor", c.rope_scaling->high_freq_factor},
                            {"original_max_position_embeddings", c.rope_scaling->original_context}};
  return json;
}

}  // namespace expunge::model
