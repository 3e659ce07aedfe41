#!/usr/bin/env python3
"""transformers and PEFT on exports of a tiny model of every family, against our logits.

    EXPUNGE_KEEP=DIR build/release/publish_test --gtest_filter='*APeftAdapter*'
    python3.11 -m venv VENV; VENV/bin/pip install torch==2.15.0 transformers==5.24.0 peft==0.21.2
    VENV/bin/python tests/peers/families.py DIR

Prints a JSON line a family: the relative L2 difference of the merged folder's logits from ours and of the
original with the adapter from the merged, and for comparison how far the edit moves them. Exit status 1 if one
of the first two is above the tolerance, or the edit below 0.1, in which case they prove nothing.

Measured in float32: 3e-7 and 6e-7 at most, edits of 0.3 to 0.6.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import peft
import torch
from transformers import AutoModelForCausalLM


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()


def compare(family):
    ids = torch.tensor([[int(x) for x in (family / "ids.txt").read_text().split()]])
    ours = torch.from_numpy(np.fromfile(family / "logits.f32", dtype=np.float32)).reshape(ids.shape[1], -1)
    with torch.no_grad():
        plain = load(family / "src/hf")(ids).logits[0]
        adapted = peft.PeftModel.from_pretrained(load(family / "src/hf"), family / "out/peft").eval()(ids).logits[0]
        merged = load(family / "out/merged")(ids).logits[0]

    def distance(x, y):
        return ((x - y).norm() / y.norm()).item()

    return {"family": family.name, "merged": distance(merged, ours), "adapter": distance(adapted, merged),
            "edit": distance(plain, merged)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    args = parser.parse_args()
    results = [compare(family) for family in sorted(args.folder.iterdir())]
    for result in results:
        print(json.dumps(result))
    return 0 if results and all(r["merged"] <= args.tolerance and r["adapter"] <= args.tolerance and r["edit"] >= 0.1
                                for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
