"""Sections of docs/results.md, each written by one command between its own two marks."""
import re
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "docs/results.md"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


def number(value, form=".3f"):
    return format(value, form) if isinstance(value, (int, float)) else "absent"


def replace(name, text, path=RESULTS):
    """Puts text where the section is, or at the end of the file."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = begin + text.strip() + "\n" + end
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if pattern.search(old):
        old = pattern.sub(lambda _: new, old)
    else:
        old = old.rstrip() + "\n\n" + new if old else new
    path.write_text(old, encoding="utf-8")
