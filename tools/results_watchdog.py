#!/usr/bin/env python3
"""Writes the watchdog's section of docs/results.md: how well it reads dialogues by hands that it was not
trained on.

    tools/results_watchdog.py FILE.jsonl…     (`make results-watchdog`: a minute on 2 cores)

Runs `expunge bench watchdog` on each file.
"""
import json
import subprocess
import sys
from pathlib import Path

import results_section
from results_section import number, table

ROOT = Path(__file__).resolve().parent.parent
KEYS = ("found", "false_alarms", "intent", "questions", "answers", "targets")
GOALS = ("≥ .95", "≤ .02", "≥ .92", "≥ .85", "≥ .9", "≥ .8")
COUNTS = ("items", "right", "requests", "found", "whole", "false_alarms")


def measure(path):
    out = subprocess.run([ROOT / "build/release/expunge", "bench", "watchdog", path, "--json"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def whole(data):
    """Requests right as a whole over all requests."""
    counts = data["categories"].values()
    return sum(c["whole"] for c in counts) / sum(c["requests"] for c in counts)


def main():
    results = {Path(path).stem: measure(path) for path in sys.argv[1:]}
    out = ["## Watchdog, on dialogues by hands that it was not trained on", "",
           "Shares of requests found, of other messages taken for requests, of right intents, of questions and answers "
           "right, and of requests right as a whole (intent, every question and answer) among those read with the right "
           "intent. Made by `make results-watchdog`.", ""]
    rows = [[key, goal, *(number(d[key]) for d in results.values())] for key, goal in zip(KEYS, GOALS)]
    rows.append(["whole, of all requests", "", *(number(whole(d)) for d in results.values())])
    rows.append(["dialogues", "", *(d["items"] for d in results.values())])
    rows.append(["sure, of them false alarms", "", *(f"{d['sure']['items']}, {d['sure']['false_alarms']}"
                                                     for d in results.values())])
    rows.append(["ms a reading, median", "", *(f"{d['latency_ms']['median']:.0f}" for d in results.values())])
    out.append(table(["figure", "goal", *results], rows))
    for key in ("categories", "languages"):
        out.append(table([key, "of", "items", "right intent", "requests", "found", "right as a whole", "false alarms"],
                         [(name, which, *(d[key][name][c] for c in COUNTS))
                          for which, d in results.items() for name in d[key]]))
    for which, d in results.items():
        names = d["matrix"]["intents"]
        out.append(table([f"{which}: labelled \\ read", *names],
                         [(name, *row) for name, row in zip(names, d["matrix"]["rows"])]))
    notes = ROOT / "docs/watchdog.md"
    if notes.exists():
        out.append(notes.read_text(encoding="utf-8"))
    results_section.replace("watchdog", "\n".join(out))


if __name__ == "__main__":
    main()
