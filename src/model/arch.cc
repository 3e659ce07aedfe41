#include "model/arch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/family.h"
#include "tensor/tensor_file.h"

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

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

Status unknown(const std::string& word, std::vector<std::string_view> Family::*words) {
  std::vector<std::string_view> known;
  for (const Family* f : families())
    known.insert(known.end(), (f->*words).begin(), (f->*words).end());
  return fail(Code::kUnsupported,
              fmt::format("models of architecture '{}' are not supported", word),
              fmt::format("supported: {}", fmt::join(known, ", ")));
}

Status check(bool ok, const char* what, double got) {
  if (ok) return {};
  return fail(Code::kCorrupt, fmt::format("the model's {} is {}", what, got),
              "the model's configuration is damaged");
}

Status positive(int64_t n, int64_t most, const char* what) {
  return check(n > 0 && n <= most, what, static_cast<double>(n));
}

Status validate_layers(const Arch& a) {
  TRY(check(a.layers.empty() || static_cast<int64_t>(a.layers.size()) == a.n_layers,
            "number of attention layers", static_cast<double>(a.layers.size())));
  for (const LayerAttention& layer : a.layers) {
    TRY(check(layer.window >= 0, "attention window", static_cast<double>(layer.window)));
    TRY(check(a.ropes.empty() || layer.rope < a.ropes.size(), "rope of a layer",
              static_cast<double>(layer.rope)));
  }
  for (const Rope& rope : a.ropes) TRY(validate(rope));
  return {};
}

}  // namespace

double Arch::score_scale() const {
  return attention_scale.value_or(1 / std::sqrt(static_cast<double>(head_dim)));
}

Status validate(const Arch& a) {
  if (!find_family(a.family)) return unknown(a.family, &Family::model_types);
  TRY(positive(a.n_layers, 1 << 10, "layer count"));
  TRY(positive(a.d_model, 1 << 17, "width"));
  TRY(positive(a.d_ff, 1 << 19, "feed-forward width"));
  TRY(positive(a.n_heads, 1 << 12, "head count"));
  TRY(positive(a.n_kv_heads, 1 << 12, "key/value head count"));
  TRY(positive(a.head_dim, 1 << 12, "head width"));
  TRY(positive(a.vocab_size, 1 << 24, "vocabulary size"));
  TRY(positive(a.context_length, int64_t{1} << 32, "context length"));
  TRY(check(a.n_heads % a.n_kv_heads == 0, "key/value head count",
            static_cast<double>(a.n_kv_heads)));
  TRY(check(a.head_dim % 2 == 0, "head width", static_cast<double>(a.head_dim)));
  TRY(check(a.rotary() % 2 == 0 && a.rotary() > 0 && a.rotary() <= a.head_dim,
            "rotated width of a head", static_cast<double>(a.rotary())));
  TRY(check(a.norm_eps > 0 && a.norm_eps < 1, "norm epsilon", a.norm_eps));
  TRY(check(std::isfinite(a.score_scale()) && a.score_scale() > 0, "scale of scores",
            a.score_scale()));
  TRY(check(std::isfinite(a.embedding_scale) && a.embedding_scale > 0, "scale of embeddings",
            a.embedding_scale));
  TRY(check(std::isfinite(a.logit_cap) && a.logit_cap >= 0, "cap of logits", a.logit_cap));
  return validate_layers(a);
}

Result<Arch> arch_from_gguf(const tensor::GgufMeta& meta) {
  if (const std::string type = meta.text_or("general.type", "model"); type != "model")
    return fail(Code::kUnsupported, fmt::format("the GGUF holds a file of type '{}'", type),
                "give the model itself; an adapter is not one");
  if (const int64_t n = meta.integer_or("split.count", 1); n > 1)
    return fail(Code::kUnsupported,
                fmt::format("the GGUF is part {} of {}", meta.integer_or("split.no", 0) + 1, n),
                "join the parts with llama.cpp: llama-gguf-split --merge PART1 OUT");
  const std::string word = TRY(meta.text("general.architecture"));
  const Family* family = family_of_gguf(word);
  if (!family) TRY(unknown(word, &Family::gguf));
  Arch a;
  a.family = family->name;
  // Without a tokenizer's list the embedding's rows say how many tokens there are.
  a.vocab_size = static_cast<int64_t>(TRY(meta.texts("tokenizer.ggml.tokens")).size());
  for (const char* end : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"})
    if (const int64_t id = meta.integer_or(end, -1); id >= 0)
      a.end_ids.push_back(static_cast<int32_t>(id));
  const GgufConfig config(meta, word);
  TRY(family->read_gguf(config, a));
  TRY(config.refuse_unread());
  TRY(validate(a));
  return a;
}

Result<Arch> arch_from_hf(const Json& json, const Json& generation_config) {
  if (!json.is_object()) return fail(Code::kCorrupt, "config.json: not an object");
  const JsonConfig config(json);
  const std::string word = TRY(config.text("model_type", ""));
  const Family* family = family_of_model_type(word);
  if (!family) TRY(unknown(word, &Family::model_types));
  Arch a;
  a.family = family->name;
  TRY(family->read_hf(config, a));
  add_ids(generation_config, "eos_token_id", a.end_ids);
  if (a.end_ids.empty()) add_ids(json, "eos_token_id", a.end_ids);
  TRY(config.refuse_unread());
  TRY(validate(a));
  return a;
}

Json arch_to_hf(const Arch& a) {
  const Family* family = find_family(a.family);
  CHECK(family, "{}", a.family);
  Json json = {{"architectures", {family->architecture}},
               {"model_type", family->model_types.front()},
               {"torch_dtype", "float32"}};
  if (const auto ends = a.text_end_ids(); !ends.empty()) json["eos_token_id"] = ends;
  family->write_hf(a, json);
  return json;
}

}  // namespace expunge::model
