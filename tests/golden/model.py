"""Tiny llamas in Hugging Face transformers -> model.golden: logits, taps and gradients.

No weights are stored: `weight` is written here and in src/model/golden_test.cc.
For every case: the float64 results, and the relative L2 of the same in float32 against them, which
is the floor; the test's bound is ten times it.
"""
import math

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

import container

T = 13
BASE = dict(hidden_size=32, intermediate_size=44, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=4, head_dim=8, vocab_size=53, max_position_embeddings=64,
            rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False)
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
CASES = {
    "llama2": {},
    "gqa_tied": dict(num_key_value_heads=2, tie_word_embeddings=True, rms_norm_eps=1e-6,
                     rope_theta=100000.0),
    # Heads wider than hidden_size / heads; long wavelengths are slowed.
    "llama3": dict(num_attention_heads=8, num_key_value_heads=2, head_dim=16, rope_theta=500000.0,
                   rope_scaling=LLAMA3),
    "mistral": dict(num_key_value_heads=1, hidden_size=40, intermediate_size=33),
}


def weight(name, shape):
    """A chirp seeded by the name's bytes: sin(0.37 s + 1.7 i + 0.013 i^2), i counted in row order."""
    seed = sum(name.encode()) % 997
    i = np.arange(math.prod(shape), dtype=np.float64)
    wave = np.sin(0.37 * seed + 1.7 * i + 0.013 * i * i)
    if len(shape) == 1:
        return (1 + 0.1 * wave).astype(np.float32)
    return (wave * 1.5 / math.sqrt(shape[1])).reshape(shape).astype(np.float32)


class Norm(torch.nn.Module):
    """LlamaRMSNorm casts to float32, which a float64 reference must not."""

    def __init__(self, old):
        super().__init__()
        self.weight, self.eps = old.weight, old.variance_epsilon

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def build(case, dtype):
    settings = {**BASE, **CASES[case]}
    if case == "mistral":
        model = MistralForCausalLM(MistralConfig(**settings, sliding_window=None))
    else:
        model = LlamaForCausalLM(LlamaConfig(**settings))
    model = model.to(dtype).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(weight(name, tuple(p.shape))).to(dtype))
    for layer in model.model.layers:
        layer.input_layernorm = Norm(layer.input_layernorm)
        layer.post_attention_layernorm = Norm(layer.post_attention_layernorm)
    model.model.norm = Norm(model.model.norm)
    return model


def results(case, dtype):
    model = build(case, dtype)
    vocab = model.config.vocab_size
    ids = torch.tensor([[(7 * t * t + 3 * t + 1) % vocab for t in range(T)]])
    out = {}
    for n, layer in enumerate(model.model.layers):
        def keep(key):
            return lambda _, __, y: out.__setitem__(key, (y[0] if isinstance(y, tuple) else y))
        layer.mlp.register_forward_pre_hook(
            lambda _, x, n=n: out.__setitem__(f"{n}.mlp_input", x[0]))
        layer.mlp.down_proj.register_forward_pre_hook(
            lambda _, x, n=n: out.__setitem__(f"{n}.down_input", x[0]))
        layer.register_forward_hook(keep(f"{n}.block_output"))
    logits = model(ids).logits[0]
    out["logits"] = logits
    loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])
    loss.backward()
    out["loss"] = loss[None]
    for name in ("model.layers.1.mlp.down_proj.weight", "model.layers.0.self_attn.k_proj.weight",
                 "model.layers.2.input_layernorm.weight", "model.embed_tokens.weight"):
        out["grad." + name] = dict(model.named_parameters())[name].grad
    return ids[0], {k: v.detach().double().numpy().squeeze() for k, v in out.items()}


def main():
    arrays, values = {}, {"cases": {}}
    for case in CASES:
        ids, exact = results(case, torch.float64)
        _, single = results(case, torch.float32)
        arrays[f"{case}.ids"] = ids.numpy().astype(np.int32)
        floors = {}
        for key, x in exact.items():
            floors[key] = float(np.linalg.norm(single[key] - x) / np.linalg.norm(x))
            arrays[f"{case}.{key}"] = x.astype(np.float32)
        values["cases"][case] = {"config": {"model_type": "mistral" if case == "mistral" else
                                            "llama", **BASE, **CASES[case]}, "floors": floors}
        print(case, {k: f"{v:.1e}" for k, v in list(floors.items())[-6:]})
    container.write("model", "transformers, float64", arrays, values)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    main()
