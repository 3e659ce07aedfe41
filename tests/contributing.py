#!/usr/bin/env python3
"""Holds the samples of CONTRIBUTING.md to the files that they are taken from.

A fence that begins with ```cpp FILE shows lines of FILE, in order and unchanged; a line with an
ellipsis alone stands for lines that are left out. Types that docs/design.md's picture of the data's
way names must exist. Prints every difference and exits 1 if there is one. --self-test runs it on
samples that are wrong.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```cpp (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^```\n(dialogue -> .*?)\n", re.MULTILINE)


def differences(sample, source):
    """Lines of the sample that do not follow in the source."""
    lines, at, gap = source.splitlines(), 0, True
    for line in sample.splitlines():
        if line.strip() == "…":
            gap = True
            continue
        if gap:
            found = next((i for i in range(at, len(lines)) if lines[i] == line), None)
        else:
            found = at if at < len(lines) and lines[at] == line else None
        if found is None:
            return [line]
        at, gap = found + 1, False
    return []


def missing_types(picture, headers):
    names = [word for word in re.findall(r"[A-Z]\w+", picture)]
    return [name for name in names
            if not re.search(rf"\b(?:struct|class|using) {name}\b", headers)]


def check():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    problems, samples = [], FENCE.findall(text)
    if not samples:
        problems.append("CONTRIBUTING.md: no sample names its file")
    for name, sample in samples:
        path = ROOT / name
        if not path.exists():
            problems.append(f"CONTRIBUTING.md: {name} is not there")
            continue
        problems += [f"CONTRIBUTING.md: {name} does not have, or not here: {line}"
                     for line in differences(sample, path.read_text(encoding="utf-8"))]
    headers = "".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "src").rglob("*.h")))
    for name in ("README.md", "docs/design.md", "src/README.md"):
        picture = PICTURE.search((ROOT / name).read_text(encoding="utf-8"))
        if not picture:
            problems.append(f"{name}: no picture of the data's way")
            continue
        problems += [f"{name}: the picture names {t}, which is not a type"
                     for t in missing_types(picture.group(1), headers)]
    return problems


def self_test():
    source = "a\nb\nc\nd\n"
    cases = [("a\nb\n", []), ("a\n…\nd\n", []), ("  …\nc\n", []), ("a\nc\n", ["c"]), ("x\n", ["x"]),
             ("d\n…\na\n", ["a"])]
    failed = [c for c in cases if differences(c[0], source) != c[1]]
    if missing_types("Plan -> Ghost", "struct Plan {") != ["Ghost"]:
        failed.append("types")
    for case in failed:
        print(f"self-test: {case}")
    return 1 if failed else 0


if __name__ == "__main__":
    if "--self-test" in sys.argv[1:]:
        sys.exit(self_test())
    found = check()
    print("\n".join(found) if found else "contributing: samples and pictures hold")
    sys.exit(1 if found else 0)
