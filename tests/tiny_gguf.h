// A tiny model as a GGUF file, with a vocabulary of characters or one of bytes.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "gguf_builder.h"
#include "model/role.h"
#include "tiny.h"
#include "tiny_vocab.h"

namespace expunge::tests {

// Token i is the character '0' + i, 9 may be another, 7 ends a turn.
inline void add_alphabet(GgufBuilder& b, const model::Arch& c, const std::string& nine = "9") {
  std::vector<std::string> tokens;
  for (int64_t i = 0; i < c.vocab_size; ++i)
    tokens.push_back(i == 7 ? "<end>" : i == 9 ? nine : std::string(1, static_cast<char>('0' + i)));
  std::vector<int32_t> types(tokens.size(), 1);
  types[7] = 3;
  b.text("tokenizer.ggml.model", "gpt2");
  b.text("tokenizer.ggml.pre", "smollm");
  b.texts("tokenizer.ggml.tokens", tokens);
  b.texts("tokenizer.ggml.merges", {});
  b.i32s("tokenizer.ggml.token_type", types);
  b.u32("tokenizer.ggml.eos_token_id", 7);
}
// The same; the chat template is the first message alone.
inline void add_characters(GgufBuilder& b, const model::Arch& c) {
  add_alphabet(b, c);
  b.text("tokenizer.chat_template", "{{ messages[0]['content'] }}");
}

// One token per byte and ChatML: it accepts any text. The configuration is byte_config().
inline void add_bytes(GgufBuilder& b, const model::Arch&) {
  const ByteVocab bytes;
  b.text("tokenizer.ggml.model", "gpt2");
  b.text("tokenizer.ggml.pre", "gpt-2");
  b.texts("tokenizer.ggml.tokens", bytes.tokens);
  b.texts("tokenizer.ggml.merges", bytes.merges);
  b.i32s("tokenizer.ggml.token_type", {bytes.vocab.types.begin(), bytes.vocab.types.end()});
  b.u32("tokenizer.ggml.eos_token_id", kImEnd);
  b.text("tokenizer.chat_template",
         "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + "
         "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
         "'<|im_start|>assistant\n' }}{% endif %}");
}
inline model::Arch byte_config() {
  model::Arch c = tiny_arch();
  c.vocab_size = static_cast<int64_t>(ByteVocab().tokens.size());
  c.context_length = 2048;
  c.end_ids = {kImEnd};
  return c;
}

// The weights in a GGUF's order of rows, matrices in `dtype`. kYes: queries, keys and values as one
// tensor, as old files of Phi have them.
enum class FusedQkv { kNo, kYes };
inline void add_weights(GgufBuilder& b, const model::Arch& c,
                        const std::map<std::string, Tensor>& weights, tensor::DType dtype,
                        FusedQkv fused = FusedQkv::kNo) {
  std::map<std::string, std::vector<Tensor>> parts;
  for (const auto& [name, shape] : model::expected_tensors(c)) {
    Tensor value = weights.at(name);
    if (const auto order = model::gguf_row_order(c, name); !order.empty())
      value = at::empty_like(value).index_copy_(0, at::tensor(order, tensor::i64()), value);
    const model::TensorId id = *model::identify(c, name);
    const bool qkv =
        id.role == model::Role::kQ || id.role == model::Role::kK || id.role == model::Role::kV;
    const std::string whole =
        fmt::format("blk.{}.attn_qkv.{}", id.layer, id.bias ? "bias" : "weight");
    const bool together = qkv && fused == FusedQkv::kYes;
    parts[together ? whole : *model::name_to_gguf(c, name)].push_back(value);
  }
  for (const auto& [name, tensors] : parts) {
    const Tensor value = at::cat(tensors);
    b.tensor(name, value.sizes().vec(), floats(value),
             value.dim() == 2 ? dtype : tensor::DType::kF32);
  }
}

// As llama.cpp's converter writes a llama.
using AddVocab = void (*)(GgufBuilder&, const model::Arch&);
inline std::string gguf_image(const model::Arch& c, tensor::DType dtype,
                              const std::map<std::string, Tensor>& weights,
                              AddVocab add_vocab = add_characters) {
  GgufBuilder b;
  b.text("general.architecture", "llama");
  const auto size = [&](const char* key, int64_t n) {
    b.u32(std::string("llama.") + key, static_cast<uint32_t>(n));
  };
  size("block_count", c.n_layers), size("embedding_length", c.d_model);
  size("feed_forward_length", c.d_ff), size("attention.head_count", c.n_heads);
  size("attention.head_count_kv", c.n_kv_heads), size("context_length", c.context_length);
  b.f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  add_vocab(b, c);
  add_weights(b, c, weights, dtype);
  b.tensor("extra.unknown", {2, 32}, std::vector<float>(64, 0.5F));  // must be carried along
  return b.image();
}
// Of random weights.
inline std::string gguf_image(const model::Arch& c, tensor::DType dtype,
                              AddVocab add_vocab = add_characters) {
  return gguf_image(c, dtype, random_weights(c, 5), add_vocab);
}

// As it writes the model of a family, with the keys of the family's golden in the sizes of `c`;
// nullopt where llama.cpp has no such model. What no key can say is lost: the window of a mistral,
// gemma's own scale of scores.
inline std::optional<std::string> family_gguf(const model::Arch& c, tensor::DType dtype,
                                              FusedQkv fused = FusedQkv::kNo) {
  const base::Json golden = family_case(c.family).at("gguf");
  if (golden.is_null()) return std::nullopt;
  const auto word = golden.at("architecture").get<std::string>();
  base::Json keys = golden.at("metadata");
  const auto set = [&](const char* key, const base::Json& value) {
    keys[word + "." + key] = value;
  };
  set("block_count", c.n_layers), set("embedding_length", c.d_model);
  set("feed_forward_length", c.d_ff), set("attention.head_count", c.n_heads);
  set("attention.head_count_kv", c.n_kv_heads), set("context_length", c.context_length);
  set("rope.freq_base", c.ropes.at(0).theta);
  if (keys.contains(word + ".attention.sliding_window"))
    set("attention.sliding_window_pattern",
        std::ranges::find(c.layers, 0, &model::LayerAttention::window) - c.layers.begin() + 1);
  GgufBuilder b;
  b.text("general.architecture", word);
  for (const auto& [key, value] : keys.items())
    value.is_string()           ? b.text(key, value.get<std::string>())
    : value.is_number_integer() ? b.u32(key, value.get<uint32_t>())
                                : b.f32(key, value.get<float>());
  add_characters(b, c);
  add_weights(b, c, wave_weights(c), dtype, fused);
  return b.image();
}

}  // namespace expunge::tests
