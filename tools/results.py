#!/usr/bin/env python3
"""Writes the first section of docs/results.md from `expunge bench facts --json` and `expunge bench watchdog --json`.

    build/release/expunge bench facts data/facts/facts.jsonl --unrelated data/facts/unrelated.jsonl \
      --sequence 30 --written Q4_1 --json >facts.json
    build/release/expunge bench watchdog data/watchdog/dev.jsonl --json >watchdog.json
    tools/results.py facts.json watchdog.json
`make results` does all three.
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


def watchdog(out, data):
    out += [f"## Watchdog, {data['items']} dialogues by a hand that it was not trained on", "",
            "data/watchdog/dev.jsonl. Shares of requests found, of others taken for requests, of right "
            "intents, of requests right as a whole among those read with the right intent.", ""]
    table(out, ["figure", "value"],
          [(k, number(data[k])) for k in ("found", "false_alarms", "intent", "targets", "questions",
                                          "answers")])
    for key in ("categories", "languages"):
        table(out, [key, "items", "right intent", "requests", "found", "right as a whole",
                    "false alarms"],
              [(name, *(c[k] for k in ("items", "right", "requests", "found", "whole",
                                       "false_alarms")))
               for name, c in data[key].items()])
    names = data["matrix"]["intents"]
    table(out, ["labelled \\ read", *names],
          [(name, *row) for name, row in zip(names, data["matrix"]["rows"])])
    sure = data["sure"]
    out += [f"Sure of {sure['items']} readings, {sure['right']} of them right, {sure['false_alarms']} "
            f"taken wrongly for a request. A reading takes {data['latency_ms']['median']:.0f} ms (median).", ""]


def main():
    out = ["SmolLM2-135M-Instruct Q4_1. Made by `make results`.", ""]
    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    facts(out, data)
    sequence(out, data)
    if len(sys.argv) > 2:
        watchdog(out, json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
    notes = Path(__file__).resolve().parent.parent / "docs/ablation.md"
    if notes.exists():
        out.append(notes.read_text(encoding="utf-8"))
    results_section.replace("facts", "\n".join(out))


if __name__ == "__main__":
    main()
