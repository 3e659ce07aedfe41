#!/usr/bin/env python3
"""RePAIR's table in form (arXiv 2604.12820): requests of one sample and of a few: docs/results.md.

    python3 tools/results_repair.py --model DIR/full --data DIR/data --stories FILE --out build/repair

DIR is what tools/results_tofu.py made: the model that knows 400 questions of TOFU, and their sets.
FILE is a text of TinyStories or a JSON list of them, for the perplexity. Each request is made on the unedited model, by
`expunge unlearn` with a journal of its own, and the edited model is asked by `expunge eval`. What is
done is not done again.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import results_section as section

ROOT = Path(__file__).resolve().parent.parent
TRAINED = {"lr": 5e-5, "epochs": 5, "batch": 16}
METHODS = {"stamp": ("stamp", {}), "stamp_lr": ("stamp", {"rank": 64}), "ga": ("ga", TRAINED), "npo": ("npo", TRAINED),
           "rmu": ("rmu", TRAINED | {"lr": 1e-3, "epochs": 10, "retain_weight": 1}), "flat": ("flat", TRAINED),
           "wga": ("wga", TRAINED), "asu": ("asu", TRAINED)}
# Rows of the last 200 of the 400 questions, those of TOFU's forget05.
REQUESTS = {"one sample": [[3], [104]], "8 samples": [list(range(160, 168))]}
RIGHT = 0.8  # ROUGE-L recall from which an answer counts as known
BUFFER, ASKED = 40, 40  # retain questions that a request is given, and others that are asked


def lines(path):
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def write(args, name, rows):
    """The sets of a request: what is forgotten and kept, and what is asked."""
    known, asked = lines(args.data / "forget05.json"), lines(args.data / "forget05_perturbed.json")
    kept = lines(args.data / "retain_perturbed.json")
    folder = args.out / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, part in {"f.json": [known[r] for r in rows], "f_perturbed.json": [asked[r] for r in rows],
                       "buffer.json": kept[:BUFFER], "r_perturbed.json": kept[BUFFER:BUFFER + ASKED]}.items():
        (folder / file).write_text("".join(part), encoding="utf-8")
    return folder


def expunge(args, home, *words):
    done = subprocess.run([args.expunge, *map(str, words), "--json", "--quiet"], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, "EXPUNGE_HOME": str(home)})
    return json.loads(done.stdout)


def ask(args, home, folder):
    """Figures of the model as its journal leaves it."""
    records = expunge(args, home, "eval", "-m", args.model, "--data", folder, "--sets", "forget,retain", "--forget", "f",
                      "--retain", "r", "--max-tokens", 60)["records"]
    figures = {}
    for name, short in (("forget", "f"), ("retain", "r")):
        recalls = [r["rougeL_recall"] for r in records[name].values()]
        figures["acc_" + short] = 100 * statistics.mean(r >= RIGHT for r in recalls)
        figures["rl_" + short] = statistics.mean(recalls)
    figures["ppl"] = expunge(args, home, "eval", "-m", args.model, "--suite", "ppl", "--data", args.stories, "--limit",
                             args.ppl_tokens)["summary"]["ppl"]
    return figures


def measure(args, label, rows, name):
    kept = args.out / f"{name}-{label}.json"
    if kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    print(f"{name}: {label}", file=sys.stderr)
    folder = write(args, name, rows)
    home = args.out / f"home-{name}-{label}"
    figures = {}
    if label != "before":
        method, knobs = METHODS[label]
        run = expunge(args, home, "unlearn", args.model, "--method", method, "--data", folder, "--forget", "f",
                      "--retain", "buffer", "--out", home / "run",
                      *(w for k, v in knobs.items() for w in ("--knob", f"{k}={v}")))
        figures = {"rte": run["seconds"], "gb": run["peak_memory_gb"]}
    figures |= ask(args, home, folder)
    kept.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stories", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--expunge", default=str(ROOT / "build/release/expunge"))
    parser.add_argument("--ppl-tokens", type=int, default=4096)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.stories.suffix == ".json":  # a list of texts
        stories = json.loads(args.stories.read_text(encoding="utf-8"))
        args.stories = args.out / "stories.txt"
        args.stories.write_text("\n\n".join(stories), encoding="utf-8")
    text = ["## RePAIR's table in form", "",
            "`python3 tools/results_repair.py --model DIR/full --data DIR/data --stories FILE --out OUT` on the target of the "
            "TOFU table: synthetic authors stand for personal data. A request names its questions and a buffer of "
            f"{BUFFER} to keep; asked are its own and {ASKED} others that the model knows. Acc: share of answers whose "
            f"ROUGE-L recall reaches {RIGHT}, in percent; RL: mean ROUGE-L recall; f: to be forgotten, r: to be kept; PPL "
            f"on TinyStories ({args.ppl_tokens} tokens); RTE: seconds of the request. Means over the requests of a "
            "kind. Trained baselines: " + ", ".join(f"{k} {v:g}" for k, v in TRAINED.items())
            + "; rmu: lr 0.001, 10 epochs, retain_weight 1; stamp_lr: rank 64.", ""]
    head = ["method", "Acc_f ↓", "Acc_r ↑", "F-RL ↓", "R-RL ↑", "PPL", "RTE s", "GB"]
    for kind, requests in REQUESTS.items():
        rows = []
        for label in ["before", *METHODS]:
            runs = [measure(args, label, r, f"{kind.split()[0]}-{i}") for i, r in enumerate(requests)]
            mean = {k: statistics.mean(run[k] for run in runs) for k in runs[0]}
            rows.append([label] + [section.number(mean.get(k), form) for k, form in
                                   (("acc_f", ".1f"), ("acc_r", ".1f"), ("rl_f", ".3f"), ("rl_r", ".3f"), ("ppl", ".2f"),
                                    ("rte", ".1f"), ("gb", ".2f"))])
        text += [f"### {kind}: {len(requests)} request{'s' * (len(requests) > 1)}", "", section.table(head, rows)]
    section.replace("repair", "\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
