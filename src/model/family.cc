#include "model/family.h"

#include <algorithm>

#include "tables/families.inc"  // made by the build from families/*.cc

namespace expunge::model {
namespace {

const Family* find_word(std::string_view word, std::vector<std::string_view> Family::*words) {
  for (const Family* f : kFamilies)
    if (std::ranges::find(f->*words, word) != (f->*words).end()) return f;
  return nullptr;
}

}  // namespace

std::vector<const Family*> families() { return {std::begin(kFamilies), std::end(kFamilies)}; }

const Family* find_family(std::string_view name) {
  for (const Family* f : kFamilies)
    if (f->name == name) return f;
  return nullptr;
}

const Family* family_of_model_type(std::string_view word) {
  return find_word(word, &Family::model_types);
}

const Family* family_of_gguf(std::string_view architecture) {
  return find_word(architecture, &Family::gguf);
}

std::vector<RoleName> usual_names() {
  return {{Role::kEmbedding, "model.embed_tokens", "token_embd"},
          {Role::kFinalNorm, "model.norm", "output_norm"},
          {Role::kHead, "lm_head", "output"},
          {Role::kInputNorm, "input_layernorm", "attn_norm"},
          {Role::kQ, "self_attn.q_proj", "attn_q"},
          {Role::kK, "self_attn.k_proj", "attn_k"},
          {Role::kV, "self_attn.v_proj", "attn_v"},
          {Role::kO, "self_attn.o_proj", "attn_output"},
          {Role::kMlpNorm, "post_attention_layernorm", "ffn_norm"},
          {Role::kGate, "mlp.gate_proj", "ffn_gate"},
          {Role::kUp, "mlp.up_proj", "ffn_up"},
          {Role::kDown, "mlp.down_proj", "ffn_down"}};
}

}  // namespace expunge::model
