#include "model/config.h"

#include <cmath>

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

void add_ids(const Json& json, const char* key, std::vector<int32_t>& ids) {
  if (!json.is_object() || !json.contains(key)) return;
  const Json& value = json[key];
  if (value.is_number_integer()) ids.push_back(value.get<int32_t>());
  if (value.is_array())
    for (const Json& id : value)
      if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
}

Result<std::optional<RopeScaling>> rope_scaling(const Json& config) {
  if (!config.contains("rope_scaling") || config["rope_scaling"].is_null())
    return std::optional<RopeScaling>();
  const Json& json = config["rope_scaling"];
  const std::string type = json.value("rope_type", json.value("type", std::string()));
  if (type == "default") return std::optional<RopeScaling>();
  if (type != "llama3")
    return fail(Code::kUnsupported,
                fmt::format("rope_scaling of type '{}' is not supported", type));
  RopeScaling s;
  s.factor = TRY(number(json, "factor"));
  s.low_freq_factor = TRY(number(json, "low_freq_factor"));
  s.high_freq_factor = TRY(number(json, "high_freq_factor"));
  s.original_context = static_cast<int64_t>(TRY(number(json, "original_max_position_embeddings")));
  return std::optional(s);
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
  c.family = config.value("model_type", std::string());
  const auto integer = [&](const char* key,
                           std::optional<double> fallback = {}) -> Result<int64_t> {
    return static_cast<int64_t>(TRY(number(config, key, fallback)));
  };
  c.n_layers = TRY(integer("num_hidden_layers"));
  c.d_model = TRY(integer("hidden_size"));
  c.d_ff = TRY(integer("intermediate_size"));
  c.n_heads = TRY(integer("num_attention_heads"));
  c.n_kv_heads = TRY(integer("num_key_value_heads", static_cast<double>(c.n_heads)));
  c.head_dim =
      TRY(integer("head_dim", c.n_heads > 0 ? static_cast<double>(c.d_model / c.n_heads) : 0));
  c.vocab_size = TRY(integer("vocab_size"));
  c.context_length = TRY(integer("max_position_embeddings", 2048));
  c.rope_theta = TRY(number(config, "rope_theta", 10000));
  c.norm_eps = TRY(number(config, "rms_norm_eps", 1e-6));
  c.tied_embeddings = config.value("tie_word_embeddings", false);
  c.rope_scaling = TRY(rope_scaling(config));
  add_ids(generation_config, "eos_token_id", c.end_ids);
  if (c.end_ids.empty()) add_ids(config, "eos_token_id", c.end_ids);
  for (const char* bias : {"attention_bias", "mlp_bias"})
    if (config.value(bias, false))
      return fail(Code::kUnsupported, fmt::format("config.json: {} is not supported", bias));
  TRY(validate(c));
  return c;
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
