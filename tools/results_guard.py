#!/usr/bin/env python3
"""Writes the guard's section of docs/results.md, and the short table of docs/guard.md.

    build/release/expunge guard eval --out build/guard
    build/release/expunge guard eval --out build/guard-default -m model.gguf
    tools/results_guard.py build/guard [build/guard-default…]
`make results-guard` does the first and the last.
"""
import json
import re
import sys
from pathlib import Path

import results_section

ROOT = Path(__file__).resolve().parent.parent


def short(scripted):
    leaks, clear = scripted["leaks"], scripted["clear"]
    kept = [leaks["disguises"], leaks["attacks"]]
    pairs, scale = leaks["pairs"], scripted["scale"]
    most = max(scale, key=lambda row: row["targets"])
    tokens = ", ".join(f"{row['agents_tokens_of_a_touched_query']:.0f}" for row in scale)
    sizes = ", ".join(str(row["targets"]) for row in scale)
    refused = ", ".join(f"{100 * clear[k] / clear['texts']:.2f} %"
                        for k in ("refused_as_question", "refused_as_reply", "refused_as_stream"))
    rows = [
        ("leaks in the promised disguises", "0 of 5,000",
         f"{sum(k['leaks'] for k in kept)} of {sum(k['tries'] for k in kept):,}"),
        ("the same without a guard", "all",
         f"{sum(k['leaks_without_guard'] for k in kept):,} of {sum(k['tries'] for k in kept):,}"),
        ("leaks in two disguises at once", "", f"{pairs['leaks']} of {pairs['tries']:,}"),
        (f"clear texts refused of {clear['texts']:,}: question, reply, stream", "≤ 1 %", refused),
        (f"added to a clear query at {most['targets']} targets", "≤ 2 ms", f"{most['whole_ms']['added']:.2f} ms"),
        ("calls of a clear query", "1", f"{most['calls_of_a_clear_query']:.2f}"),
        (f"agents' tokens of a touched query at {sizes} targets", "the same", tokens)]
    return results_section.table(["figure", "goal", "reached"], rows)


def main():
    out = ["# The guard", "", "Made by `make results-guard`. The scripted part has development figures: the scanner was mended by what "
           "it found. docs/guard.md says what is measured, and what came through that the scanner had not seen.", ""]
    for folder in map(Path, sys.argv[1:]):
        out.append((folder / "guard.md").read_text(encoding="utf-8"))
        data = json.loads((folder / "guard.json").read_text(encoding="utf-8"))
        if "scripted" in data:
            text = short(data["scripted"]) + "\nAll tables: [results.md](results.md#the-guard).\n"
            results_section.replace("guard", text, ROOT / "docs/guard.md")
    results_section.replace("guard", re.sub(r"^#", "##", "\n".join(out), flags=re.M))


if __name__ == "__main__":
    main()
