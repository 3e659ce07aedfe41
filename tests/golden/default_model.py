"""The default model's GGUF as transformers reads it -> default_model.golden.

Logits at the last position of a few prompts (every 61st, and the 8 largest), and the ids that a
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


def main():
    torch.set_num_threads(2)
    reader = GGUFReader(MODEL)
    tok = tokenizer(reader)
    arrays, values = {}, {"texts": TEXTS, "prompts": PROMPTS}
    for i, text in enumerate(TEXTS):
        arrays[f"text.{i}"] = np.array(tok.encode(text).ids, np.int32)
    model = AutoModelForCausalLM.from_pretrained(MODEL.parent, gguf_file=MODEL.name,
                                                 dtype=torch.float32).eval()
    floors = []
    for i, text in enumerate(PROMPTS):
        ids = tok.encode(text).ids
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double().numpy()
        arrays[f"prompt.{i}"] = np.array(ids, np.int32)
        arrays[f"strided.{i}"] = logits[::61].astype(np.float32)
        arrays[f"top.{i}"] = np.argsort(-logits)[:8].astype(np.int32)
        print(repr(text), "->", repr(tok.decode([int(logits.argmax())])))
    with torch.no_grad():
        ids = torch.tensor([arrays["prompt.1"].tolist()])
        greedy = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=16,
                                do_sample=False, eos_token_id=None)[0, ids.shape[1]:]
        arrays["greedy.1"] = greedy.numpy().astype(np.int32)
        exact = model.double()(ids).logits[0, -1].numpy()
    single = arrays["strided.1"].astype(np.float64)
    values["floor"] = float(np.linalg.norm(single - exact[::61]) / np.linalg.norm(exact[::61]))
    print("float32 floor", values["floor"], "greedy", repr(tok.decode(greedy.tolist())))
    container.write("default_model", "transformers on the GGUF; tokenizers on its vocabulary",
                    arrays, values)


if __name__ == "__main__":
    main()
