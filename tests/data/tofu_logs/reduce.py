#!/usr/bin/env python3
"""Cuts evaluation logs of the TOFU benchmark's first program down to what the metrics read.

    ./reduce.py LOG.json... writes ./NAME.json for each

A column {"0": x, "1": y, ...} becomes the list [x, y, ...]; texts and repeated columns go. Losses
are float32 numbers that the logs print as doubles: nine digits give them back when read as float32.
"""
import json
import sys
from pathlib import Path

import numpy as np

LOSSES = ["avg_gt_loss", "average_perturb_loss", "avg_paraphrased_loss"]
OTHERS = ["num_token_gt", "num_token_perturb", "num_token_paraphrased", "rouge1_recall",
          "rougeL_recall"]


def shorten(value):
    if isinstance(value, list):
        return [shorten(v) for v in value]
    short = np.float32(value)
    assert float(short) == value, value
    return float(np.format_float_positional(short, unique=True))


def reduce(section):
    rows = section["avg_gt_loss"].keys()
    assert list(rows) == [str(i) for i in range(len(rows))]
    columns = {}
    for name in LOSSES + OTHERS:
        assert section[name].keys() == rows, name
        values = list(section[name].values())
        columns[name] = [shorten(v) for v in values] if name in LOSSES else values
    return columns


def main():
    for path in map(Path, sys.argv[1:]):
        log = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps({name: reduce(section) for name, section in log.items()},
                          separators=(",", ":"))
        name = path.name.replace("_wd0.01", "")
        Path(__file__).with_name(name).write_text(text.replace('},"', '},\n"') + "\n")


if __name__ == "__main__":
    main()
