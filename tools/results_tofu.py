#!/usr/bin/env python3
"""TOFU forget01 and forget05 on the default model, reduced to fit a processor: docs/results.md.

    python3 tools/results_tofu.py --data TOFU --out build/tofu

TOFU is the folder of huggingface.co/datasets/locuslab/TOFU. What is reduced: of the 200 authors the
last 20 (TOFU's forget10, 400 questions) are all that the target knows; forget01 and forget05 are
TOFU's own (the last 40 and 200 questions), the gold models learn what is left of the 400. Evaluated
are the first --items questions of each set, answers of at most --tokens tokens. Everything goes on
where it was interrupted.
"""
import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import results_section as section

ROOT = Path(__file__).resolve().parent.parent
SETS = {"forget01": (40, "retain99", 5), "forget05": (200, "retain95", 2)}  # size, gold, epochs
FINETUNE = {"epochs": 8, "lr": 2e-4, "batch": 16}
METHODS = {"ga": {}, "graddiff": {}, "npo": {}, "simnpo": {}, "rmu": {"lr": 1e-3, "epochs": 10, "retain_weight": 1},
           "ihl": {}, "loku": {"lr": 2e-4}, "stamp.stamp_lr": {"rank": 64}}
COLUMNS = [("quality", "forget_quality", ".2e"), ("utility", "model_utility", ".3f"),
           ("truth ratio", "forget_truth_ratio", ".3f"), ("prob", "forget_Q_A_Prob", ".3f"),
           ("ROUGE-L", "forget_Q_A_ROUGE", ".3f"), ("retain prob", "retain_Q_A_Prob", ".3f"),
           ("retain ROUGE-L", "retain_Q_A_ROUGE", ".3f")]


def lines(path):
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def prepare(source, to):
    """The reduced sets, under TOFU's names."""
    to.mkdir(parents=True, exist_ok=True)
    rows, perturbed = lines(source / "forget10.json"), lines(source / "forget10_perturbed.json")
    sets = {"full": rows, "retain_perturbed": perturbed[:200]}
    for name, (size, retain, _) in SETS.items():
        sets |= {name: rows[-size:], f"{name}_perturbed": perturbed[-size:], retain: rows[:-size]}
    for name, part in sets.items():
        (to / f"{name}.json").write_text("".join(part), encoding="utf-8")
    for name in ("real_authors_perturbed", "world_facts_perturbed"):
        shutil.copy(source / f"{name}.json", to)


def finetune(args, examples):
    out = args.out / examples
    if not (out / "model.safetensors").exists():
        subprocess.run([args.expunge, "finetune", "--data", args.out / "data" / f"{examples}.json",
                        "--out", out] + [str(x) for k, v in FINETUNE.items() for x in (f"--{k}", v)],
                       check=True)


def table(args, epochs, name, own):
    """A method's table of the sweep; closed forms have no learning rate."""
    trained = {} if name.startswith("stamp") else {"lr": args.lr, "epochs": epochs, "batch": 16}
    return f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in (trained | own).items())


def sweep(args, forget):
    _, retain, epochs = SETS[forget]
    spec = args.out / f"{forget}.toml"
    spec.write_text(f'model = "{args.out}/full"\ngold = "{args.out}/{retain}"\ndata = "{args.out}/data"\n'
                    f'forget = "{forget}"\nretain = "{retain}"\nout = "{args.out}/{forget}"\n'
                    f"eval_limit = {args.items}\nmax_new_tokens = {args.tokens}\n"
                    + "".join(table(args, epochs, *m) for m in METHODS.items()), encoding="utf-8")
    subprocess.run([args.expunge, "sweep", spec], check=True)
    return json.loads((args.out / forget / "sweep.json").read_text(encoding="utf-8"))


def rows(result):
    for run in result["runs"]:
        yield ([run["label"]] + [section.number(run["summary"].get(key), form) for _, key, form in COLUMNS]
               + [section.number(run.get("seconds"), ".0f"), section.number(run.get("peak_memory_gb"), ".2f")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--expunge", default=str(ROOT / "build/release/expunge"))
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--lr", type=float, default=5e-5)
    args = parser.parse_args()
    prepare(args.data, args.out / "data")
    for examples in ("full", "retain99", "retain95"):
        finetune(args, examples)
    head = ["method"] + [name for name, _, _ in COLUMNS] + ["s", "GB"]
    text = ["## TOFU, reduced", "", f"`python3 tools/results_tofu.py --data TOFU --out DIR`: SmolLM2-135M-Instruct "
            "fine-tuned in float32 on TOFU's last 20 authors (400 questions; "
            + ", ".join(f"{k} {v:g}" for k, v in FINETUNE.items()) + "), gold models on what is left of them. "
            f"Unlearning: batch 16 + 16, lr {args.lr:g}, except for "
            + "; ".join(f"{name.split('.')[-1]}: " + ", ".join(f"{k} {v:g}" for k, v in own.items())
                        for name, own in METHODS.items() if own) + f". Evaluated on the first {args.items} questions of each set, answers of at most "
            f"{args.tokens} tokens. Quality is the p-value of the Kolmogorov-Smirnov test against the "
            "gold model's truth ratios; s and GB are of the unlearning itself, peak of its process.", ""]
    for forget, (size, retain, epochs) in SETS.items():
        result = sweep(args, forget)
        text += [f"### {forget} ({size} questions, {epochs} epochs; gold: {retain})", "", section.table(head, rows(result)),
                 f"Best by the rule \"{result['rule']}\": {result['best'] or 'none'}.", ""]
    section.replace("tofu", "\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
