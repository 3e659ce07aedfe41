// The files next to the weights in a Hugging Face folder, built from a GGUF's key-value table.
#pragma once

#include <map>
#include <string>

#include "model/arch.h"
#include "text/tokenizer.h"

namespace expunge::model {

base::Result<text::GgufVocab> vocab_from_gguf(const tensor::GgufMeta& meta);

// File name -> text: config.json, generation_config.json, tokenizer.json, tokenizer_config.json.
// `dtype` is the word of transformers ("float32", "float16", "bfloat16").
base::Result<std::map<std::string, std::string>> hf_files_from_gguf(const tensor::GgufMeta& meta,
                                                                    const Arch& config,
                                                                    const std::string& dtype);

}  // namespace expunge::model
