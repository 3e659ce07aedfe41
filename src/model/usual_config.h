// What the configurations of most families have in common; a family's file overrides what is its
// own.
#pragma once

#include <string>

#include "model/config_reader.h"

namespace expunge::model {

// num_hidden_layers, hidden_size and so on, rms_norm_eps, tie_word_embeddings, the rotary
// embedding, hidden_act.
base::Status read_usual(const JsonConfig& config, Arch& arch);
base::Status read_usual(const GgufConfig& config, Arch& arch);
void write_usual(const Arch& arch, base::Json& json);

// attention_bias: whether q, k, v and o have biases.
base::Status read_attention_bias(const JsonConfig& config, Arch& arch);
void write_attention_bias(const Arch& arch, base::Json& json);

// One set of angles: of transformers 5 ("rope_parameters") or before ("rope_scaling" beside
// "rope_theta" and "partial_rotary_factor").
base::Status read_rope(const JsonConfig& config, double default_theta, Arch& arch);
base::Result<Rope> read_rope_object(const base::Json& json, double theta, const JsonConfig& config,
                                    const Arch& arch);
base::Json rope_to_json(const Rope& rope);

base::Result<Activation> activation_of(const std::string& word);
std::string word_of(Activation activation);

// The windows of qwen2 and qwen3: use_sliding_window, sliding_window, max_window_layers,
// layer_types.
base::Status read_qwen_windows(const JsonConfig& config, Arch& arch);
void write_qwen_windows(const Arch& arch, base::Json& json);
// layer_types ("sliding_attention", "full_attention"), which windows layers; kCorrupt unless one a
// layer.
base::Status read_layer_types(const JsonConfig& config, int64_t window, Arch& arch);
void write_layer_types(const Arch& arch, base::Json& json);

}  // namespace expunge::model
