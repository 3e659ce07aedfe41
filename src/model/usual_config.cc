#include "model/usual_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

}  // namespace

Result<Activation> activation_of(const std::string& word) {
  if (word == "silu" || word == "swish") return Activation::kSilu;
  if (word == "gelu_new" || word == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  return fail(Code::kUnsupported, fmt::format("the activation '{}' is not supported", word),
              "known: silu, gelu_new, gelu_pytorch_tanh");
}

std::string word_of(Activation activation) {
  return activation == Activation::kSilu ? "silu" : "gelu_pytorch_tanh";
}

Status read_usual(const JsonConfig& config, Arch& a) {
  a.n_layers = TRY(config.integer("num_hidden_layers"));
  a.d_model = TRY(config.integer("hidden_size"));
  a.d_ff = TRY(config.integer("intermediate_size"));
  a.n_heads = TRY(config.integer("num_attention_heads"));
  a.n_kv_heads = TRY(config.integer("num_key_value_heads", a.n_heads));
  a.head_dim = TRY(config.integer("head_dim", a.n_heads > 0 ? a.d_model / a.n_heads : 0));
  a.vocab_size = TRY(config.integer("vocab_size"));
  a.context_length = TRY(config.integer("max_position_embeddings", 2048));
  a.norm_eps = TRY(config.number("rms_norm_eps", 1e-6));
  a.tied_embeddings = TRY(config.flag("tie_word_embeddings", false));
  a.activation = TRY(activation_of(TRY(config.text("hidden_act", "silu"))));
  return read_rope(config, 10000, a);
}

Status read_usual(const GgufConfig& config, Arch& a) {
  a.n_layers = TRY(config.integer("block_count"));
  a.d_model = TRY(config.integer("embedding_length"));
  a.d_ff = TRY(config.integer("feed_forward_length"));
  a.n_heads = TRY(config.integer("attention.head_count"));
  a.n_kv_heads = TRY(config.integer("attention.head_count_kv", a.n_heads));
  a.head_dim =
      TRY(config.integer("attention.key_length", a.n_heads > 0 ? a.d_model / a.n_heads : 0));
  a.context_length = TRY(config.integer("context_length"));
  if (const int64_t rotary = TRY(config.integer("rope.dimension_count", 0)); rotary != a.head_dim)
    a.n_rotary = rotary;
  // float32 in the file: 1e-5 reads as 9.99999975e-06, which is what the reference computes with.
  if (a.norm == Norm::kRms) a.norm_eps = TRY(config.number("attention.layer_norm_rms_epsilon"));
  Rope rope;
  rope.theta = TRY(config.number("rope.freq_base", 10000));
  // Of old files; llama.cpp takes a factor without a type as linear.
  const double old_factor = TRY(config.number("rope.scale_linear", 1));
  rope.factor = TRY(config.number("rope.scaling.factor", old_factor));
  if (rope.factor == 0) rope.factor = 1;
  const std::string type = TRY(config.text("rope.scaling.type", "linear"));
  rope.original_context =
      TRY(config.integer("rope.scaling.original_context_length", a.context_length));
  rope.beta_fast = TRY(config.number("rope.scaling.yarn_beta_fast", 32));
  rope.beta_slow = TRY(config.number("rope.scaling.yarn_beta_slow", 1));
  if (type == "yarn") {
    rope.scaling = Rope::Scaling::kYarn;
    // The converter writes the attention_factor of config.json, which is the magnitude itself.
    const double usual = rope.factor > 1 ? 1 + 0.1 * std::log(rope.factor) : 1;
    rope.magnitude = TRY(config.number("rope.scaling.yarn_attn_factor", usual)) *
                     TRY(config.number("rope.scaling.attn_factor", 1));
  } else if (type == "linear" && rope.factor != 1) {
    rope.scaling = Rope::Scaling::kLinear;
  } else if (type != "linear" && type != "none") {
    return fail(Code::kUnsupported, fmt::format("rope scaling of type '{}' is not supported", type),
                "known in a GGUF: none, linear, yarn");
  }
  if (rope.scaling == Rope::Scaling::kNone) rope.factor = 1;
  if (rope.scaling != Rope::Scaling::kYarn) rope.original_context = 0;
  a.ropes = {rope};
  return {};
}

Result<Rope> read_rope_object(const Json& json, double theta, const JsonConfig& whole,
                              const Arch& a) {
  const JsonConfig config(json);
  Rope r;
  r.theta = TRY(config.number("rope_theta", theta));
  // A factor without a type is linear, as in a GGUF.
  const bool scaled = TRY(config.number("factor", 1)) != 1;
  const std::string type =
      TRY(config.text("rope_type", TRY(config.text("type", scaled ? "linear" : "default"))));
  if (type == "default") return r;
  const bool yarn = type == "yarn";
  if (type == "linear")
    r.scaling = Rope::Scaling::kLinear;
  else if (type == "dynamic")
    r.scaling = Rope::Scaling::kDynamic;
  else if (type == "llama3")
    r.scaling = Rope::Scaling::kLlama3;
  else if (yarn)
    r.scaling = Rope::Scaling::kYarn;
  else
    return fail(Code::kUnsupported, fmt::format("rope scaling of type '{}' is not supported", type),
                "known: default, linear, dynamic, llama3, yarn");
  int64_t original = TRY(whole.integer("original_max_position_embeddings", 0));
  if (original == 0)
    original = TRY(config.integer("original_max_position_embeddings", a.context_length));
  r.original_context = r.scaling == Rope::Scaling::kDynamic ? a.context_length : original;
  if (r.scaling == Rope::Scaling::kLinear) r.original_context = 0;
  if (yarn && !config.has("factor"))
    r.factor = static_cast<double>(a.context_length) / static_cast<double>(original);
  else
    r.factor = TRY(config.number("factor"));
  if (r.scaling == Rope::Scaling::kLlama3) {
    r.low_freq_factor = TRY(config.number("low_freq_factor"));
    r.high_freq_factor = TRY(config.number("high_freq_factor"));
  }
  if (!yarn) return r;
  const auto positive_or = [&](const char* key, double usual) -> Result<double> {
    const double v = TRY(config.number(key, usual));
    return v == 0 ? usual : v;
  };
  r.beta_fast = TRY(positive_or("beta_fast", 32));
  r.beta_slow = TRY(positive_or("beta_slow", 1));
  r.truncate = TRY(config.flag("truncate", true));
  const auto growth = [&](double scale) {
    return r.factor <= 1 ? 1 : 0.1 * scale * std::log(r.factor) + 1;
  };
  const double all = TRY(config.number("mscale_all_dim", 0)), one = TRY(config.number("mscale", 0));
  r.magnitude = TRY(config.number("attention_factor",
                                  all != 0 && one != 0 ? growth(one) / growth(all) : growth(1)));
  return r;
}

Status read_rope(const JsonConfig& config, double default_theta, Arch& a) {
  const double theta = TRY(config.number("rope_theta", default_theta));
  Json json = TRY(config.object("rope_scaling"));
  if (json.empty()) json = TRY(config.object("rope_parameters"));
  config.has("rope_parameters");  // rope_scaling takes its place
  const double outside = TRY(config.number("partial_rotary_factor", 1));
  const double partial = TRY(JsonConfig(json).number("partial_rotary_factor", outside));
  const auto rotary = static_cast<int64_t>(static_cast<double>(a.head_dim) * partial);
  if (rotary != a.head_dim) a.n_rotary = rotary;
  a.ropes = {TRY(read_rope_object(json, theta, config, a))};
  return {};
}

Json rope_to_json(const Rope& r) {
  Json json = {{"rope_theta", r.theta}};
  const auto scaled = [&](const char* type) {
    json["rope_type"] = type, json["factor"] = r.factor;
  };
  switch (r.scaling) {
    case Rope::Scaling::kNone:
      json["rope_type"] = "default";
      break;
    case Rope::Scaling::kLinear:
      scaled("linear");
      break;
    case Rope::Scaling::kDynamic:
      scaled("dynamic");
      break;
    case Rope::Scaling::kLlama3:
      scaled("llama3");
      json["low_freq_factor"] = r.low_freq_factor;
      json["high_freq_factor"] = r.high_freq_factor;
      json["original_max_position_embeddings"] = r.original_context;
      break;
    case Rope::Scaling::kYarn:
      scaled("yarn");
      json["original_max_position_embeddings"] = r.original_context;
      json["beta_fast"] = r.beta_fast, json["beta_slow"] = r.beta_slow;
      json["truncate"] = r.truncate, json["attention_factor"] = r.magnitude;
      break;
  }
  return json;
}

void write_usual(const Arch& a, Json& json) {
  json["hidden_act"] = word_of(a.activation);
  json["num_hidden_layers"] = a.n_layers;
  json["hidden_size"] = a.d_model;
  json["intermediate_size"] = a.d_ff;
  json["num_attention_heads"] = a.n_heads;
  json["num_key_value_heads"] = a.n_kv_heads;
  json["head_dim"] = a.head_dim;
  json["vocab_size"] = a.vocab_size;
  json["max_position_embeddings"] = a.context_length;
  json["rms_norm_eps"] = a.norm_eps;
  json["tie_word_embeddings"] = a.tied_embeddings;
  if (a.ropes.empty()) return;
  // As transformers 4 reads it, and 5 too.
  Json rope = rope_to_json(a.ropes[0]);
  json["rope_theta"] = a.ropes[0].theta;
  rope.erase("rope_theta");
  if (a.ropes[0].scaling != Rope::Scaling::kNone) json["rope_scaling"] = rope;
  if (a.n_rotary > 0)
    json["partial_rotary_factor"] =
        static_cast<double>(a.n_rotary) / static_cast<double>(a.head_dim);
}

Status read_layer_types(const JsonConfig& config, int64_t window, Arch& a) {
  const auto types = TRY(config.texts("layer_types"));
  if (static_cast<int64_t>(types.size()) != a.n_layers)
    return fail(Code::kCorrupt, fmt::format("config.json: layer_types names {} layers of {}",
                                            types.size(), a.n_layers));
  a.layers.assign(types.size(), {});
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] == "sliding_attention") {
      if (window <= 0)
        return fail(Code::kCorrupt, "config.json: sliding_window is missing, and a layer has one");
      a.layers[i].window = window;
    } else if (types[i] != "full_attention") {
      return fail(Code::kUnsupported,
                  fmt::format("config.json: layer type '{}' is not supported", types[i]),
                  "known: sliding_attention, full_attention");
    }
  }
  return {};
}

Status read_attention_bias(const JsonConfig& config, Arch& a) {
  if (TRY(config.flag("attention_bias", false)))
    a.biases.insert({Role::kQ, Role::kK, Role::kV, Role::kO});
  return {};
}

void write_attention_bias(const Arch& a, Json& json) {
  if (a.biases.contains(Role::kO)) json["attention_bias"] = true;
}

Status read_qwen_windows(const JsonConfig& config, Arch& a) {
  const int64_t window = TRY(config.integer("sliding_window", 4096));
  const int64_t first = TRY(config.integer("max_window_layers", 28));
  const bool used = TRY(config.flag("use_sliding_window", false)) && config.has("sliding_window");
  if (config.has("layer_types")) TRY(read_layer_types(config, used ? window : 0, a));
  if (!used || config.has("layer_types")) return {};
  a.layers.assign(static_cast<size_t>(std::clamp<int64_t>(a.n_layers, 0, 1 << 10)), {});
  for (size_t i = 0; i < a.layers.size(); ++i)
    if (static_cast<int64_t>(i) >= first) a.layers[i].window = window;
  return {};
}

void write_qwen_windows(const Arch& a, Json& json) {
  write_layer_types(a, json);
  json["use_sliding_window"] = !a.layers.empty();
}

void write_layer_types(const Arch& a, Json& json) {
  if (a.layers.empty()) return;
  json["layer_types"] = Json::array();
  for (const LayerAttention& layer : a.layers) {
    json["layer_types"].push_back(layer.window > 0 ? "sliding_attention" : "full_attention");
    if (layer.window > 0) json["sliding_window"] = layer.window;
  }
}

}  // namespace expunge::model
