// The pre-tokenizers that a GGUF of a byte-level BPE names (tokenizer.ggml.pre), as tokenizer.json
// writes them.
#pragma once

#include "base/json.h"

namespace expunge::text {

struct PreTokenizer {
  base::Json json;
  bool ignores_merges;   // a part that is itself a token is that token
  bool begins_with_bos;  // where the file does not say whether it does
};
// "" as a file without the key: llama.cpp's default. Errors: unknown name, with the known ones.
base::Result<PreTokenizer> pre_tokenizer(const std::string& name);

base::Json byte_level(bool own_regex);

}  // namespace expunge::text
