// A tiny llama as a GGUF file, with a vocabulary of characters or one of bytes.
#pragma once

#include <string>
#include <vector>

#include "gguf_builder.h"
#include "model/role.h"
#include "tiny.h"
#include "tiny_vocab.h"

namespace expunge::tests {

inline std::vector<float> floats(const Tensor& t) {
  const Tensor c = t.contiguous();
  return {c.data_ptr<float>(), c.data_ptr<float>() + c.numel()};
}

// Token i is the character '0' + i, 7 ends a turn; the chat template is the first message alone.
inline void add_characters(GgufBuilder& b, const model::Arch& c) {
  std::vector<std::string> tokens;
  for (int64_t i = 0; i < c.vocab_size; ++i)
    tokens.push_back(i == 7 ? "<end>" : std::string(1, static_cast<char>('0' + i)));
  std::vector<int32_t> types(tokens.size(), 1);
  types[7] = 3;
  b.text("tokenizer.ggml.model", "gpt2");
  b.text("tokenizer.ggml.pre", "smollm");
  b.texts("tokenizer.ggml.tokens", tokens);
  b.texts("tokenizer.ggml.merges", {});
  b.i32s("tokenizer.ggml.token_type", types);
  b.u32("tokenizer.ggml.eos_token_id", 7);
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

// As llama.cpp's converter writes the model, head rows permuted; matrices in `dtype`.
inline std::string gguf_image(const model::Arch& c, tensor::DType dtype,
                              void (*add_vocab)(GgufBuilder&,
                                                const model::Arch&) = add_characters) {
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
  const auto weights = random_weights(c, 5);
  for (const auto& [name, shape] : model::expected_tensors(c)) {
    Tensor value = weights.at(name);
    if (const auto order = model::gguf_row_order(c, name); !order.empty())
      value = at::empty_like(value).index_copy_(0, at::tensor(order, tensor::i64()), value);
    b.tensor(*model::name_to_gguf(c, name), shape, floats(value),
             shape.size() == 2 ? dtype : tensor::DType::kF32);
  }
  b.tensor("extra.unknown", {2, 32}, std::vector<float>(64, 0.5F));  // must be carried along
  return b.image();
}

}  // namespace expunge::tests
