// A model family is one file in families/: the words that select it, what its tensors are called,
// and how its configuration fills an Arch.
#pragma once

#include <string_view>
#include <vector>

#include "model/usual_config.h"

namespace expunge::model {

struct Family {
  std::string_view name;                      // the file's
  std::vector<std::string_view> model_types;  // of config.json; the first is written
  std::vector<std::string_view> gguf;         // general.architecture; none: no GGUF of it exists
  std::string_view architecture;              // "LlamaForCausalLM"
  std::string_view layer_prefix;              // "model.layers."
  std::vector<RoleName> names;                // of every module that a model of it may have
  bool interleaved_in_gguf = false;           // rows of queries and keys; see role.h
  double norm_offset = 0;                     // a norm's weight is the checkpoint's plus this
  base::Status (*read_hf)(const JsonConfig& config, Arch& arch);
  base::Status (*read_gguf)(const GgufConfig& config, Arch& arch);
  void (*write_hf)(const Arch& arch, base::Json& json);
};

const Family* find_family(std::string_view name);             // nullptr when unknown
const Family* family_of_model_type(std::string_view word);    // of config.json
const Family* family_of_gguf(std::string_view architecture);  // of general.architecture
std::vector<const Family*> families();

// The names that llama gave and most families kept.
std::vector<RoleName> usual_names();

}  // namespace expunge::model
