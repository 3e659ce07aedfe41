// Llama 2 and 3, SmolLM2, TinyLlama, Mistral and the stories models: pre-norm blocks of rotary
// grouped-query attention and a SwiGLU MLP, without biases (Touvron et al. 2023, section 2.2).
#include "model/family.h"

namespace expunge::model {
namespace {

using tensor::Tensor;

Tensor block(BlockOps& ops, Tensor x) {
  const Tensor h = ops.norm(x, "input_layernorm");  // [rows,D]
  const Tensor attended =
      ops.attention(ops.linear(h, "self_attn.q_proj"), ops.linear(h, "self_attn.k_proj"),
                    ops.linear(h, "self_attn.v_proj"));  // [rows,N*K]
  x = ops.add(x, ops.linear(attended, "self_attn.o_proj"));
  const Tensor m = ops.tap(Point::kMlpInput, ops.norm(x, "post_attention_layernorm"));
  const Tensor key = ops.tap(
      Point::kDownInput, ops.swiglu(ops.linear(m, "mlp.gate_proj"), ops.linear(m, "mlp.up_proj")));
  const Tensor out = ops.tap(Point::kMlpOutput, ops.linear(key, "mlp.down_proj"));
  return ops.tap(Point::kBlockOutput, ops.add(x, out));
}

}  // namespace

extern const Family family_llama;
const Family family_llama{"llama", {"llama", "mistral"}, block};

}  // namespace expunge::model
