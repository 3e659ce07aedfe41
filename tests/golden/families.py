"""One tiny model per family in Hugging Face transformers -> families/<family>.golden.

Layout: container.py. A file has one case or more; everything of a case is under "<case>.".

values.cases.<case>
  config             config.json's text, as transformers writes it
  old_config         the same model as transformers 4 wrote it: rope_theta, rope_scaling at the top
  generation_config  generation_config.json's text
  parameters         {checkpoint name: shape}, exactly the tensors of model.safetensors
  floors             {array: relative L2 of transformers in float32 against the float64 golden}
  gguf               {architecture, metadata, tensors: {checkpoint name: GGUF name}}, null for
                     gpt_neo, which llama.cpp does not know. Names are gguf.TensorNameMap's.
                     Metadata is what llama.cpp's converter writes (conversion/base.py, phi.py,
                     gemma.py), transcribed in `gguf_side`.
arrays (float32 of float64 results; rows are positions)
  ids, short.ids     int32: a text of 13 tokens, longer than every window, and its last 7
  logits [13,V]      short.logits [7,V] from a run of its own, positions from 0
  embedding          the residual stream before the first block
  <i>.mlp_input      what the MLP reads            <i>.down_input    what its last matrix reads
  <i>.mlp_output     what that matrix gives, before a norm that follows it
  <i>.block_output   the residual stream after block i
  loss               mean cross entropy of positions 0..11 against ids 1..12
  grad.<name>        the loss's gradient, for every parameter

No weights are stored. For a parameter `name` with `shape`, element i counted in row order:
  seed = sum of the name's bytes mod 997;   wave = sin(0.37 seed + 1.7 i + 0.013 i^2)   (float64)
  two dimensions  1.5 wave / sqrt(shape[1])
  *.bias          0.2 wave
  norm weight     1 + 0.1 wave, and 0.1 wave where transformers adds the 1 (gemma3)
rounded to float32.

float64: transformers computes norms, angles and softmax in float32 whatever the model's type is.
`wide` makes float32 mean float64 inside the library, so that no step is narrower.
"""
import contextlib
import json
import math
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from safetensors import safe_open

import container

T, SHORT, V, WINDOW = 13, 7, 64, 5
SIZES = dict(vocab_size=V, hidden_size=16, intermediate_size=20, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
FULL, LOCAL = "full_attention", "sliding_attention"


def rope(kind="default", **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **more}}


LLAMA = dict(head_dim=8, rms_norm_eps=1e-5)
GEMMA = dict(hidden_size=24, num_hidden_layers=3, head_dim=8, query_pre_attn_scalar=12,
             sliding_window=WINDOW, layer_types=[LOCAL, FULL, LOCAL],
             rope_parameters={FULL: {"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0},
                              LOCAL: {"rope_type": "default", "rope_theta": 30.0}})
# family: (model_type, architecture's class, GGUF architecture or None, {case: settings})
FAMILIES = {
    "llama": ("llama", "LlamaForCausalLM", "LLAMA", {
        "default": LLAMA | rope(),
        "biases": LLAMA | rope() | dict(attention_bias=True, mlp_bias=True,
                                        tie_word_embeddings=True),
        "linear": LLAMA | rope("linear", factor=3.0),
        # The long text is scaled, the short one is not.
        "dynamic": LLAMA | rope("dynamic", factor=3.0) | dict(max_position_embeddings=8),
        # One frequency is kept, one is between, two are slowed.
        "llama3": LLAMA | rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                               original_max_position_embeddings=32),
        "yarn": LLAMA | rope("yarn", factor=4.0, original_max_position_embeddings=64),
        "yarn_all": LLAMA | rope("yarn", factor=4.0, original_max_position_embeddings=64,
                                 attention_factor=1.3, beta_fast=8.0, beta_slow=0.5,
                                 truncate=False)}),
    "mistral": ("mistral", "MistralForCausalLM", "LLAMA", {
        "mistral": rope() | dict(sliding_window=WINDOW, head_dim=8)}),
    "qwen2": ("qwen2", "Qwen2ForCausalLM", "QWEN2", {
        "qwen2": rope() | dict(hidden_size=32, tie_word_embeddings=True),
        "windowed": rope() | dict(hidden_size=32, use_sliding_window=True, sliding_window=WINDOW,
                                  max_window_layers=1)}),
    "qwen3": ("qwen3", "Qwen3ForCausalLM", "QWEN3", {"qwen3": rope() | dict(head_dim=8)}),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM", "GEMMA3", {
        "gemma3": GEMMA, "softcap": GEMMA | dict(final_logit_softcapping=3.0)}),
    "gpt_neo": ("gpt_neo", "GPTNeoForCausalLM", None, {"gpt_neo": dict(
        vocab_size=V, hidden_size=16, num_layers=2, num_heads=4, max_position_embeddings=20,
        window_size=WINDOW, attention_types=[[["global", "local"], 1]],
        bos_token_id=1, eos_token_id=1)}),
    "phi": ("phi", "PhiForCausalLM", "PHI2", {"phi": rope(partial_rotary_factor=0.5) | dict(
        hidden_size=32, intermediate_size=128, num_key_value_heads=4)}),
    "olmo2": ("olmo2", "Olmo2ForCausalLM", "OLMO2", {
        "olmo2": rope() | dict(hidden_size=32, rms_norm_eps=1e-6, eos_token_id=0)}),
}


def weight(name, shape, offset_norms):
    seed = sum(name.encode()) % 997
    i = np.arange(math.prod(shape), dtype=np.float64)
    wave = np.sin(0.37 * seed + 1.7 * i + 0.013 * i * i)
    if len(shape) == 2:
        wave *= 1.5 / math.sqrt(shape[1])
    elif name.endswith(".bias"):
        wave *= 0.2
    else:
        wave = 0.1 * wave + (0 if offset_norms else 1)
    return wave.reshape(shape).astype(np.float32)


@contextlib.contextmanager
def wide():
    kept = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = kept
        torch.set_default_dtype(torch.float32)


def config_of(model_type, settings):
    sizes = {} if model_type == "gpt_neo" else SIZES
    return transformers.AutoConfig.for_model(model_type, **json.loads(json.dumps(sizes | settings)))


def build(config, class_name):
    cls = getattr(transformers, class_name)
    model = cls._from_config(config, attn_implementation="eager").eval()
    offset_norms = config.model_type.startswith("gemma")
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(weight(name, tuple(p.shape), offset_norms)))
    return model


def ids(count):
    return torch.tensor([[2 + (7 * t * t + 3 * t + 1) % (V - 2) for t in range(T)][T - count:]])


def run(config, class_name):
    """Logits of both texts, taps and gradients. Dynamic rope remembers: each text gets a model."""
    out = {"short.logits": build(config, class_name)(ids(SHORT)).logits}
    model = build(config, class_name)
    layers = model.transformer.h if config.model_type == "gpt_neo" else model.model.layers

    def keep(key):
        return lambda value: out.__setitem__(key, value[0] if isinstance(value, tuple) else value)

    def reads(module, key):
        module.register_forward_pre_hook(lambda _, x, k=keep(key): k(x))

    def gives(module, key):
        module.register_forward_hook(lambda _, __, y, k=keep(key): k(y))

    reads(layers[0], "embedding")
    for n, layer in enumerate(layers):
        down = next(getattr(layer.mlp, name) for name in ("down_proj", "fc2", "c_proj")
                    if hasattr(layer.mlp, name))
        reads(layer.mlp, f"{n}.mlp_input")
        reads(down, f"{n}.down_input")
        gives(down, f"{n}.mlp_output")
        gives(layer, f"{n}.block_output")
    out["logits"] = model(ids(T)).logits
    loss = torch.nn.functional.cross_entropy(out["logits"][0, :-1], ids(T)[0, 1:])
    loss.backward()
    out["loss"] = loss
    for name, p in model.named_parameters():
        out["grad." + name] = p.grad
    return model, {k: v.detach().numpy() if k.startswith("grad.") or k == "loss"
                   else v[0].detach().numpy() for k, v in out.items()}


def old_config(text):
    """transformers 4's form of config.json; the caller checks that it gives the same model."""
    config = json.loads(text)
    parameters = config.pop("rope_parameters", None)
    if parameters and FULL in parameters:
        config["rope_local_base_freq"] = parameters[LOCAL]["rope_theta"]
        config["sliding_window_pattern"] = config.pop("layer_types").index(FULL) + 1
        del config["_sliding_window_pattern"]
        parameters = parameters[FULL]
    if parameters:
        config["rope_theta"] = parameters.pop("rope_theta")
        if "partial_rotary_factor" in parameters:
            config["partial_rotary_factor"] = parameters.pop("partial_rotary_factor")
        config["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters
        # Llama's oldest word; gemma3 never had it, and transformers reads it there as no scaling.
        if parameters["rope_type"] in ("linear", "dynamic") and config["model_type"] == "llama":
            parameters["type"] = parameters.pop("rope_type")
    config["torch_dtype"] = config.pop("dtype")
    config["transformers_version"] = "4.40.0"
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def gguf_side(arch, config, names):
    if arch is None:
        return None
    word = gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH[arch]]
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH[arch], config.num_hidden_layers)
    parameters = config.rope_parameters.get(FULL, config.rope_parameters)
    meta = {"block_count": config.num_hidden_layers,
            "context_length": config.max_position_embeddings,
            "embedding_length": config.hidden_size,
            "feed_forward_length": config.intermediate_size,
            "attention.head_count": config.num_attention_heads,
            "attention.head_count_kv": config.num_key_value_heads}
    if word == "phi2":
        meta |= {"attention.layer_norm_epsilon": config.layer_norm_eps, "rope.dimension_count":
                 int(parameters["partial_rotary_factor"] * config.hidden_size) //
                 config.num_attention_heads}
    else:
        meta |= {"attention.layer_norm_rms_epsilon": config.rms_norm_eps,
                 "rope.freq_base": parameters["rope_theta"]}
        if getattr(config, "head_dim", None):
            meta |= {"attention.key_length": config.head_dim,
                     "attention.value_length": config.head_dim}
    if word == "llama":
        meta |= {"vocab_size": config.vocab_size, "rope.dimension_count": config.head_dim}
    if parameters["rope_type"] in ("linear", "yarn"):
        meta |= {"rope.scaling.type": parameters["rope_type"],
                 "rope.scaling.factor": parameters["factor"]}
    if parameters["rope_type"] == "yarn":
        meta["rope.scaling.original_context_length"] = parameters[
            "original_max_position_embeddings"]
        meta |= {"rope.scaling.yarn_" + to: parameters[key] for key, to in
                 (("attention_factor", "attn_factor"), ("beta_fast", "beta_fast"),
                  ("beta_slow", "beta_slow")) if key in parameters}
    if word == "gemma3":
        meta |= {"attention.sliding_window": config.sliding_window,
                 "rope.freq_base_swa": config.rope_parameters[LOCAL]["rope_theta"]}
        if config.final_logit_softcapping:
            meta["final_logit_softcapping"] = config.final_logit_softcapping
    tensors = {n: table.get_name(n, try_suffixes=(".weight", ".bias")) for n in names}
    assert all(tensors.values()), tensors
    return {"architecture": word, "metadata": {f"{word}.{k}": v for k, v in meta.items()},
            "tensors": tensors}


def distance(got, want):
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def write_case(arrays, family, case, settings):
    model_type, class_name, arch, _ = FAMILIES[family]
    # float32 first: a module of the library must not be imported while `wide` is in force.
    model, single = run(config_of(model_type, settings), class_name)
    with wide():
        _, exact = run(config_of(model_type, settings), class_name)
    floors = {}
    for key, x in exact.items():
        assert x.dtype == np.float64 and np.linalg.norm(x) > 0, key
        floors[key] = distance(single[key], x)
        arrays[f"{case}.{key}"] = x.astype(np.float32)
    arrays[f"{case}.ids"] = ids(T).numpy().astype(np.int32)
    arrays[f"{case}.short.ids"] = ids(SHORT).numpy().astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        with safe_open(folder + "/model.safetensors", "np") as f:
            shapes = {n: list(f.get_slice(n).get_shape()) for n in f.keys()}
        assert shapes == {n: list(p.shape) for n, p in model.named_parameters()}
        text = (Path(folder) / "config.json").read_text()
        generation = (Path(folder) / "generation_config.json").read_text()
        (Path(folder) / "config.json").write_text(old_config(text))
        reread = transformers.AutoConfig.from_pretrained(folder)
    assert np.array_equal(run(reread, class_name)[1]["logits"], single["logits"]), "old_config"
    print(f"  {case}: worst floor {max(floors.values()):.1e}, logits {floors['logits']:.1e}")
    return exact, {"config": text, "old_config": old_config(text), "generation_config": generation,
                   "parameters": shapes, "floors": floors,
                   "gguf": gguf_side(arch, model.config, shapes)}


def matters(family, what, exact, settings):
    """The text's logits with other settings: they must differ from the golden ones."""
    model_type, class_name, _, _ = FAMILIES[family]
    with wide():
        _, other = run(config_of(model_type, settings), class_name)
    gap = distance(other["logits"], exact["logits"])
    print(f"  {what}: logits move by {gap:.1e}")
    assert gap > 1e-3, what
    return other


def check(family, results):
    cases = FAMILIES[family][3]
    for case, exact in results.items():
        settings = cases[case]
        if family == "llama" and "rope" in str(settings) and case not in ("default", "biases"):
            plain = matters(family, f"{case} against default rope", exact, settings | rope())
            same = distance(plain["short.logits"], exact["short.logits"]) == 0
            assert same == (case == "dynamic")
        window = {"mistral": {"sliding_window": None}, "windowed": {"use_sliding_window": False},
                  "gpt_neo": {"window_size": T}, "gemma3": {"sliding_window": T}}.get(case)
        if window:
            matters(family, "window off", exact, settings | window)
            key = next(iter(window)) if case != "windowed" else "sliding_window"
            matters(family, "window one wider", exact, settings | {key: WINDOW + 1})
        if case == "gemma3":
            one = {"rope_parameters": dict.fromkeys((FULL, LOCAL), GEMMA["rope_parameters"][FULL])}
            matters(family, "one rope for all layers", exact, settings | one)
            matters(family, "scale of scores", exact, settings | {"query_pre_attn_scalar": 8})
        if case == "phi":
            matters(family, "all dimensions rotated", exact,
                    settings | rope(partial_rotary_factor=1.0))


def main():
    for family, (_, _, _, cases) in FAMILIES.items():
        print(family)
        arrays, values, results = {}, {"cases": {}}, {}
        for case, settings in cases.items():
            results[case], values["cases"][case] = write_case(arrays, family, case, settings)
        check(family, results)
        container.write(f"families/{family}", "transformers, float64", arrays, values)


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    main()
