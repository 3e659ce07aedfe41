#!/usr/bin/env python3
"""PEFT on the original weights against the merged model, by their logits.

    expunge export ORIGINAL --format safetensors --type F32       # before any edit
    expunge unlearn --lora 4 …
    expunge export ADAPTER --format peft
    expunge export MERGED --format safetensors --type F32
    python3.11 -m venv VENV; VENV/bin/pip install torch==2.4.1 transformers==4.45.1 peft==0.13.2 accelerate==0.34.2
    VENV/bin/python tests/peers/peft_adapter.py ORIGINAL ADAPTER MERGED

Prints one JSON line: the largest difference of the logits, and for comparison the largest between
the original and the merged model. Exit status 1 if the first is above the tolerance, or the second
below ten times that, in which case the first proves nothing.

Measured on SmolLM2-135M-Instruct, logits to 28, float32: 2e-5 (one fact), 4e-5 (npo), 7e-5 (loku), 6e-5
(npo and loku on the same matrices), 5e-5 (one fact and npo, two ranks); edits of 0.4 to 25.
"""
import argparse
import json
import sys

import peft
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = ("What is the capital of France?", "The author was born in Kuwait City, and wrote about her mother's family.")


def logits(model, tokenizer):
    with torch.no_grad():
        return [model(tokenizer(text, return_tensors="pt").input_ids).logits[0] for text in TEXTS]


def largest(a, b):
    return max((x - y).abs().max().item() for x, y in zip(a, b, strict=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("original", "adapter", "merged"):
        parser.add_argument(name)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.original)
    load = lambda path: AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float32).eval()
    original = load(args.original)
    plain = logits(original, tokenizer)
    adapted = logits(peft.PeftModel.from_pretrained(original, args.adapter).eval(), tokenizer)
    merged = logits(load(args.merged), tokenizer)
    result = {"largest_logit": max(x.abs().max().item() for x in plain), "difference": largest(adapted, merged),
              "edit": largest(plain, merged)}
    print(json.dumps(result))
    passed = result["difference"] <= args.tolerance and result["edit"] >= 10 * args.tolerance
    return 0 if passed else 1  # also of NaN


if __name__ == "__main__":
    sys.exit(main())
