#!/usr/bin/env python3
"""Loads an export as another program would and compares its logits with ours.

  load_export.py EXPORT --ids IDS.txt --logits OURS.f32 [--tolerance 2e-3]

EXPORT is a .gguf (needs llama-cpp-python, or gguf + transformers with --dequantise) or a
Hugging Face folder (needs transformers and torch). IDS.txt holds token ids, OURS.f32 float32 logits [T,V] of
the same ids. Prints one JSON line; exit status 1 if the relative L2 difference of the last row is
above the tolerance or the most likely token differs.

For llama.cpp use a GGUF of F32 weights (2e-6 measured). Its arithmetic on quantised weights moves
the logits of SmolLM2-135M Q4_1 by 5 to 8 % of their norm, edited or not, which hides an edit. A
quantised GGUF is compared with --dequantise (1e-6).
"""
import argparse
import json
import os
import sys

import numpy as np


def llama_cpp_logits(path, ids):
    import llama_cpp

    model = llama_cpp.Llama(path, n_ctx=len(ids) + 8, logits_all=True,
                            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, verbose=False)
    model.eval(ids)
    return np.array(model.scores[: len(ids)], dtype=np.float32)


def transformers_logits(path, ids, dequantise):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": path}
    if dequantise:  # transformers reads a GGUF by dequantising it with the gguf package
        where = {"pretrained_model_name_or_path": os.path.dirname(os.path.abspath(path)),
                 "gguf_file": os.path.basename(path)}
    model = AutoModelForCausalLM.from_pretrained(**where, torch_dtype=torch.float32).eval()
    AutoTokenizer.from_pretrained(**where)
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("export")
    parser.add_argument("--ids", required=True)
    parser.add_argument("--logits", required=True)
    parser.add_argument("--tolerance", type=float, default=2e-3)
    parser.add_argument("--dequantise", action="store_true", help="a GGUF through transformers")
    args = parser.parse_args()
    with open(args.ids) as f:
        ids = [int(x) for x in f.read().split()]
    ours = np.fromfile(args.logits, dtype=np.float32).reshape(len(ids), -1)
    if args.export.endswith(".gguf") and not args.dequantise:
        reader, theirs = "llama.cpp", llama_cpp_logits(args.export, ids)
    else:
        reader, theirs = "transformers", transformers_logits(args.export, ids, args.dequantise)
    a, b = ours[-1].astype(np.float64), theirs[-1].astype(np.float64)
    difference = float(np.linalg.norm(a - b) / np.linalg.norm(b))
    same = int(a.argmax()) == int(b.argmax())
    print(json.dumps({"export": os.path.basename(args.export), "reader": reader, "tokens": len(ids),
                      "relative_l2": difference, "max_abs": float(np.abs(a - b).max()),
                      "argmax_equal": same}))
    return 0 if difference <= args.tolerance and same else 1


if __name__ == "__main__":
    sys.exit(main())
