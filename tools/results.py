#!/usr/bin/env python3
"""Writes the first section of docs/results.md from `expunge bench facts --json`.

    build/release/expunge bench facts data/facts/facts.jsonl --unrelated data/facts/unrelated.jsonl \
      --sequence 30 --written Q4_1 --json >facts.json
    tools/results.py facts.json
`make results` does both.
"""
import json
import statistics
import sys
from pathlib import Path

import results_section

# name, goal, the best prototype's figure (findings of the second round)
GOALS = [("exact", "1.00", ".94"), ("paraphrase", "", ".92"), ("strict", "≥ .90", ".81"),
         ("relaxed", "≥ .97", ".88"), ("neighbours", "≥ .93", ".84"),
         ("same_subject", "≥ .90", ".67"), ("same_subject_first", "≥ .70", ".00"),
         ("unrelated", "≥ .97", ".92"), ("refusal", "≥ .95", ".88"), ("ppl_ratio", "≤ 1.02", "1.004"),
         ("probing", "", ""), ("gates_passed", "", ""), ("request_s_median", "≤ 2 (4 cores)", "6.5")]
SEQUENCE = [("exact", "≥ .95", ".90"), ("paraphrase", "", ""), ("neighbours", "≥ .90", ".76"),
            ("unrelated", "≥ .90", ".71"), ("ppl_ratio", "≤ 1.05", "1.07"), ("partial", "", ""),
            ("request_s_first", "", ""), ("request_s_last", "", "")]


def number(value):
    return "absent" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def table(out, head, rows):
    out.append("| " + " | ".join(head) + " |")
    out.append("|" + "---|" * len(head))
    out += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    out.append("")


def cell(text):
    return " ".join(text.split()).replace("|", "\\|")[:110]


def facts(out, data):
    out += [f"## {data['items']} facts, one by one", "", "Method `redirect`, default settings, each fact "
            "forgotten on the unedited model and undone. Measured questions never enter a plan.", ""]
    table(out, ["figure", "reached", "goal", "prototype"],
          [(name, number(data.get(name)), goal, old) for name, goal, old in GOALS])
    gates = {}
    for fact in data["facts"]:
        for gate in fact["gates"]:
            if "value" in gate:
                gates.setdefault(gate["name"], []).append(gate["value"])
    out += ["### Gates (the plan's own held-back wordings)", ""]
    table(out, ["gate", "min", "median", "max", "n"],
          [(k, number(min(v)), number(statistics.median(v)), number(max(v)), len(v))
           for k, v in gates.items()])
    out += ["### Where a request's time goes (median seconds)", ""]
    parts = {}
    for fact in data["facts"]:
        for key, value in fact["seconds"].items():
            parts.setdefault(key, []).append(value)
    table(out, ["part", "seconds"], [(k, f"{statistics.median(v):.2f}") for k, v in parts.items()])
    out += ["### Every failure", ""]
    table(out, ["fact", "kind", "question", "reply"],
          [tuple(cell(f[k]) for k in ("fact", "kind", "prompt", "reply")) for f in data["failures"]])


def sequence(out, data):
    s = data.get("sequence")
    if not s:
        return
    out += [f"## {s['n']} facts in sequence", "", "All edits active at once; afterwards all undone. "
            f"The weights' hash is then the base's: {s['base_hash_after_undo']}.", ""]
    table(out, ["figure", "reached", "goal (after 30)", "prototype"],
          [(name, number(s.get(name)), goal, old) for name, goal, old in SEQUENCE])
    if s.get("after"):
        keys = ["n", "exact", "paraphrase", "neighbours", "unrelated", "ppl_ratio"]
        table(out, keys, [tuple(number(a.get(k)) for k in keys) for a in s["after"]])
    if s.get("written"):
        keys = ["exact", "paraphrase", "neighbours", "unrelated", "ppl_ratio"]
        out += ["The same 30 edits exported to a GGUF whose edited matrices are Q4_1 again, read back:",
                ""]
        table(out, ["", *keys], [(name, *(number(r.get(k)) for k in keys))
                                 for name, r in (("in memory", s), ("Q4_1 file", s["written"]))])
    table(out, ["fact", "kind", "question", "reply"],
          [tuple(cell(f[k]) for k in ("fact", "kind", "prompt", "reply")) for f in s["failures"]])


def main():
    out = ["SmolLM2-135M-Instruct Q4_1. Made by `make results`.", ""]
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    facts(out, data)
    sequence(out, data)
    notes = Path(__file__).resolve().parent.parent / "docs/ablation.md"
    if notes.exists():
        out.append(notes.read_text(encoding="utf-8"))
    results_section.replace("facts", "\n".join(out))


if __name__ == "__main__":
    main()
