"""The default model's GGUF as transformers reads it -> default_model.golden.

float64 logits at the last position of a few prompts (every 61st, and the 8 largest), and the ids that a
tokenizer gives which is built here, apart from the product, from the GGUF's vocabulary.
"""
import os
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

import container
from model import Norm

CACHE = Path(os.environ.get("EXPUNGE_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "expunge")
MODEL = CACHE / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
TEXTS = ["The capital of France is Paris.", "In 1984 there were 1234567 of them, 3.14 apart.",
         " leading and  double   spaces\n\n\tand tabs ", "don't they'll WE'VE I'm", "",
         "Äpfel, naïve café, нещо на Български, 東京タワー, 🦙🚀😶‍🌫️ ﷺ",
         "def f(x):\n    return x**2  # ½ ¾ ²\r\n", "a" * 70, "١٢٣ 四五六 Ⅷ 12ab34",
         "user\nassistant\nsystem", "é vs e\u0301 \u200b zero width"]
PROMPTS = ["The capital of France is", "Once upon a time, in 1999, there was a",
           "def fibonacci(n):\n    if n < 2:\n        return n\n    return"]


def strings(reader, key):
    field = reader.get_field(key)
    return [bytes(field.parts[i]).decode() for i in field.data]


def tokenizer(reader):
    tokens = strings(reader, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in strings(reader, "tokenizer.ggml.merges")]
    t = Tokenizer(models.BPE({w: i for i, w in enumerate(tokens)}, merges))
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    t.decoder = decoders.ByteLevel()
    return t


def last_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1].double().numpy()


def in_float64(model):
    model = model.double()
    for layer in model.model.layers:
        layer.input_layernorm = Norm(layer.input_layernorm)
        layer.post_attention_layernorm = Norm(layer.post_attention_layernorm)
    model.model.norm = Norm(model.model.norm)
    return model


def main():
    torch.set_num_threads(2)
    reader = GGUFReader(MODEL)
    tok = tokenizer(reader)
    arrays, values = {}, {"texts": TEXTS, "prompts": PROMPTS}
    for i, text in enumerate(TEXTS):
        arrays[f"text.{i}"] = np.array(tok.encode(text).ids, np.int32)
    model = AutoModelForCausalLM.from_pretrained(MODEL.parent, gguf_file=MODEL.name,
                                                 dtype=torch.float32).eval()
    single = []
    for i, text in enumerate(PROMPTS):
        ids = tok.encode(text).ids
        arrays[f"prompt.{i}"] = np.array(ids, np.int32)
        single.append(last_logits(model, ids))
        logits = single[-1]
        print(repr(text), "->", repr(tok.decode([int(logits.argmax())])))
    with torch.no_grad():
        ids = torch.tensor([arrays["prompt.1"].tolist()])
        greedy = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16,
                                do_sample=False, eos_token_id=None)[0, ids.shape[1]:]
        arrays["greedy.1"] = greedy.numpy().astype(np.int32)
    exact_model = in_float64(model)
    values["floors"] = []
    for i in range(len(PROMPTS)):
        exact = last_logits(exact_model, arrays[f"prompt.{i}"].tolist())
        arrays[f"strided.{i}"] = exact[::61].astype(np.float32)
        arrays[f"top.{i}"] = np.argsort(-exact)[:8].astype(np.int32)
        values["floors"].append(float(np.linalg.norm(single[i] - exact) / np.linalg.norm(exact)))
    print("float32 floors", values["floors"], "greedy", repr(tok.decode(greedy.tolist())))
    container.write("default_model", "transformers on the GGUF; tokenizers on its vocabulary",
                    arrays, values)


if __name__ == "__main__":
    main()
