// tensor::parse_gguf, the typed access to its keys, and dequantisation of what it accepts.
#include "fuzz/fuzz.h"
#include "fuzz/tensors.h"
#include "gguf_builder.h"

namespace expunge::fuzz {
namespace {

std::string llama_like() {
  tests::GgufBuilder gguf;
  gguf.text("general.architecture", "llama");
  gguf.u32("general.alignment", 32);
  gguf.u32("llama.block_count", 2);
  gguf.f32("llama.rope.freq_base", 10000);
  gguf.boolean("tokenizer.ggml.add_bos_token", true);
  gguf.texts("tokenizer.ggml.tokens", {"a", "b", "</s>"});
  gguf.f32s("tokenizer.ggml.scores", {0, -1, -2});
  gguf.i32s("tokenizer.ggml.token_type", {1, 1, 3});
  gguf.tensor("token_embd.weight", {2, 4}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  gguf.tensor("blk.0.attn_q.weight", {1, 32}, std::vector<float>(32, 0.5F), tensor::DType::kQ4_1);
  return gguf.image();
}

// One tensor of every type.
std::string all_types() {
  tests::GgufBuilder gguf;
  for (uint32_t id = 0; id < 40; ++id)
    if (const auto dtype = tensor::dtype_from_ggml(id)) {
      const auto& type = tensor::info(*dtype);
      gguf.tensor(type.name, {1, static_cast<int64_t>(type.block)}, *dtype,
                  std::string(type.bytes, '\x11'));
    }
  return gguf.image();
}

}  // namespace

std::vector<std::string> seeds() { return {llama_like(), all_types()}; }
std::vector<std::string_view> dictionary() {
  return {"general.alignment", "GGUF", "tokenizer.ggml.tokens", "token_embd.weight"};
}

int fuzz_one(std::span<const std::byte> input) {
  const auto file = tensor::parse_gguf(input);
  if (!file) return 0;
  read_tensors(input, *file);
  size_t answers = 0;
  for (const auto& [key, value] : file->meta.values)
    answers += file->meta.integer(key).has_value() + file->meta.real(key).has_value() +
               file->meta.text(key).has_value() + file->meta.texts(key).has_value() +
               file->meta.integers(key).has_value() + file->meta.reals(key).has_value();
  // A flag has no accessor of this kind, a whole number has two.
  CHECK(answers <= 2 * file->meta.values.size());
  return 1;
}

}  // namespace expunge::fuzz
