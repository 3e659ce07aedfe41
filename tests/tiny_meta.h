// A golden's GGUF metadata as the key-value table that a file would give.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor_file.h"
#include "tiny.h"

namespace expunge::tests {

// With 64 tokens; its strings live as long as `json`.
inline tensor::GgufMeta gguf_meta(const base::Json& json) {
  static const std::vector<std::string> tokens(64, "t");
  tensor::GgufMeta meta;
  meta.values["tokenizer.ggml.tokens"] = tensor::GgufMeta::Strings(tokens.begin(), tokens.end());
  for (const auto& [key, value] : json.items())
    if (value.is_string())
      meta.values[key] = std::string_view(value.get_ref<const std::string&>());
    else if (value.is_boolean())
      meta.values[key] = value.get<bool>();
    else if (value.is_number_integer())
      meta.values[key] = value.get<uint64_t>();
    else
      meta.values[key] = value.get<double>();
  return meta;
}

}  // namespace expunge::tests
