#!/usr/bin/env python3
"""The layering test: which room may include which, and five rules that go with it.

1. src/<room>/ includes headers of its own room and of the rooms in TABLE only.
2. Every file of src/<room>/ except main.cc opens the namespace expunge::<room>, and none names the
   namespace of a room out of its reach: that of what it may include, and of what those may.
3. torch, ATen, c10 and caffe2 headers are named in src/tensor alone, <torch/torch.h> nowhere.
4. main() is in src/cli alone.
5. src/README.md has a heading for each room, in the order of TABLE.
6. GTEST_SKIP and the rows of tests/QUARANTINE.md agree.

Prints every violation as file:line: message and exits 1 if there is one. With --self-test it runs
on small broken trees and fails if one passes.
"""
import re
import sys
import tempfile
from pathlib import Path

# In the order data flows. unlearn and verify cannot see each other: a method must not peek at its
# judge. publish sees the journal, not unlearn: what is not recorded cannot be shipped.
TABLE = {
    "base": "",
    "tensor": "base",
    "text": "base",
    "model": "base tensor text",
    "edit": "base tensor text model",
    "unlearn": "base tensor text model edit",
    "verify": "base tensor text model edit",
    "journal": "base model edit verify",
    "publish": "base tensor model edit journal",
    "agent": "base text",
    "guard": "base text",
    "repair": "base text model edit unlearn verify journal agent",
    "service": "base tensor text model edit unlearn verify journal publish agent repair",
    "server": "base tensor text model edit unlearn verify journal publish agent guard repair service",
    # Its command `serve` starts the server.
    "cli": "base tensor text model edit unlearn verify journal publish agent guard repair service server",
}
# Made by the build (tables/*.inc) or shared by tests only (files of tests/ without a folder).
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")
MAIN = re.compile(r"^\s*(?:extern \"C\" )?int\s+main\s*\(")
TEST = re.compile(r"^\s*(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
NAMESPACE = re.compile(r"^\s*(?:inline )?namespace ([\w:]+) \{")
NAMED = re.compile(r"(?<![\w:])(?:::)?(?:expunge::)?(\w+)::(?=[\w~])")
# main() is in no namespace; gloo_names.h stands in for another library's headers.
WITHOUT_NAMESPACE = ("cli/main.cc", "tensor/gloo_names.h")
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
RAW = re.compile(r'R"(\w*)\(.*?\)\1"', re.DOTALL)
SKIP = re.compile(r"\bGTEST_SKIP\b")
ROW = re.compile(r"^\|\s*`?([\w./]+\.[\w/]+)`?\s*\|\s*(\S.*?)\s*\|\s*$")


def check_include(room, is_test, target, angled):
    """The violation of one include, or None."""
    if TORCH.match(target) and (room != "tensor" or target == "torch/torch.h"):
        return f"{target}: LibTorch enters through tensor/tensor.h alone"
    if angled or "/" not in target:
        return None
    folder = target.split("/")[0]
    if folder == room or folder == "tables":
        return None
    if folder not in TABLE:
        return None if is_test else f"{target} is in no room"
    if folder not in TABLE[room].split():
        return f"{room} must not include {folder} ({target})"
    return None


def code_of(text):
    """The text with its literals and comments blanked out, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return LITERAL.sub(blank, RAW.sub(blank, text))


def reach(room):
    """The room, what it may include, and what those may include: it handles their types too."""
    return {room}.union(*(reach(other) for other in TABLE[room].split()))


def check_namespaces(room, name, text):
    """Violations of rule 2 in one file, each with its line."""
    if name in WITHOUT_NAMESPACE:
        return []
    problems, opened = [], set()
    allowed = reach(room)
    for number, line in enumerate(code_of(text).splitlines(), 1):
        if namespace := NAMESPACE.match(line):
            opened.add(namespace.group(1))
            continue
        for named in NAMED.findall(line):
            if named in TABLE and named not in allowed:
                problems.append((number, f"{room} must not name {named}::"))
    own = f"expunge::{room}"
    if not any(n == own or n.startswith(own + "::") for n in opened):
        problems.append((1, f"opens no namespace {own}"))
    for namespace in sorted(opened):  # a forward declaration of what it may include is one too
        other = namespace.removeprefix("expunge::").split("::")[0]
        if namespace.startswith("expunge::") and other in TABLE and other not in allowed:
            problems.append((1, f"{room} must not open {namespace}"))
    return problems


def check_source(room, name, path):
    """(violations, tests that skip) of one file, each violation with its line."""
    problems, skips, current = [], [], None
    is_test = path.stem.endswith("_test")
    text = path.read_text(encoding="utf-8")
    problems += check_namespaces(room, name, text)
    for number, line in enumerate(text.splitlines(), 1):
        if include := INCLUDE.match(line):
            target = include.group(1) or include.group(2)
            if wrong := check_include(room, is_test, target, include.group(2) is not None):
                problems.append((number, wrong))
        if MAIN.match(line) and room != "cli":
            problems.append((number, "main() stands in src/cli alone"))
        if test := TEST.match(line):
            current = f"{test.group(1)}.{test.group(2)}"
        if SKIP.search(line):
            skips.append((number, current or path.stem))
    return problems, skips


def check_readme(readme):
    if not readme.exists():
        return [f"{readme}: missing"]
    headings = re.findall(r"^##\s+`?(\w+)/?`?\s*$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    if headings != list(TABLE):
        return [f"{readme}: its headings are {headings}, expected {list(TABLE)}"]
    return []


def check_tree(root):
    violations, skips = [], {}
    source = root / "src"
    for path in sorted(p for p in source.rglob("*") if p.suffix in (".cc", ".h", ".inc")):
        room = path.relative_to(source).parts[0]
        if room not in TABLE:
            violations.append(f"{path}: {room} is in no room")
            continue
        problems, skipped = check_source(room, path.relative_to(source).as_posix(), path)
        violations += [f"{path}:{number}: {message}" for number, message in problems]
        skips.update({test: f"{path}:{number}" for number, test in skipped})
    violations += check_readme(source / "README.md")

    quarantine = root / "tests" / "QUARANTINE.md"
    text = quarantine.read_text(encoding="utf-8") if quarantine.exists() else ""
    rows = {m.group(1) for m in map(ROW.match, text.splitlines()) if m}
    violations += [f"{where}: {test} skips without a row in tests/QUARANTINE.md"
                   for test, where in skips.items() if test not in rows]
    violations += [f"{quarantine}: {row} does not skip" for row in sorted(rows - set(skips))]
    return violations


def sample(name, text):
    """A broken file's text, in its room's namespace unless it names one itself."""
    room = name.split("/")[1] if name.startswith("src/") else ""
    if not name.endswith((".cc", ".h")) or "namespace" in text:
        return text
    return f"{text}namespace expunge::{room} {{\n}}\n"


def self_test():
    """Each broken file must be found, and the sound tree must pass."""
    readme = "\n".join(f"## {room}\n" for room in TABLE)
    row = "| A.B | no device |\n"
    cases = [  # file, text, what must be found; None: nothing
        ("src/base/a.cc", "int x;\n", None),
        ("src/tensor/a.cc", '#include <ATen/ops/add.h>\n#include "base/error.h"\n', None),
        ("src/verify/a_test.cc", '#include "tiny.h"\n#include "edit/edit.h"\n', None),
        ("src/cli/main.cc", "int main(int argc, char** argv) {\n", None),
        ("src/base/a.cc", '#include "tensor/tensor.h"\n', "must not include tensor"),
        ("src/unlearn/methods/a.cc", '#include "verify/gates.h"\n', "must not include verify"),
        ("src/verify/a_test.cc", '#include "unlearn/method.h"\n', "must not include unlearn"),
        ("src/publish/a.cc", '#  include "unlearn/method.h"\n', "must not include unlearn"),
        ("src/model/a.h", "#include <c10/core/Device.h>\n", "LibTorch enters"),
        ("src/tensor/a.h", "#include <torch/torch.h>\n", "LibTorch enters"),
        ("src/edit/a.cc", "int main() {}\n", "main() stands"),
        ("src/service/a.cc", "int main() {}\n", "main() stands"),
        ("src/service/a.cc", '#include "cli/terminal.h"\n', "must not include cli"),
        ("src/service/a.cc", "namespace expunge::cli {\n}\n", "opens no namespace"),
        ("src/service/a.cc", "namespace expunge::service {\ncli::Terminal t;\n}\n",
         "must not name cli"),
        ("src/verify/a.cc", "namespace expunge::verify {\n::expunge::unlearn::Method m;\n}\n",
         "must not name unlearn"),
        ("src/agent/a.h", "namespace expunge::model {\nclass M;\n}\nnamespace expunge::agent {\n}\n",
         "must not open expunge::model"),
        ("src/repair/a.h", "namespace expunge::repair {\ntensor::Tensor t;  // not cli::Terminal\n"
         'const char* s = "cli::";\n}\n', None),
        ("src/extra/a.cc", "\n", "is in no room"),
        ("src/README.md", "## base\n## text\n", "headings"),
        ("src/base/b_test.cc", "TEST(A, C) {\n  GTEST_SKIP();\n}\n", "A.C skips without a row"),
        ("tests/QUARANTINE.md", row + "| D.E | gone |\n", "D.E does not skip"),
    ]
    failed = 0
    for name, text, wanted in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for file, content in {"src/README.md": readme, "tests/QUARANTINE.md": row,
                                  "src/base/a_test.cc": "TEST(A, B) {\n  GTEST_SKIP();\n}\n",
                                  name: text}.items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_text(sample(file, content), encoding="utf-8")
            found = check_tree(root)
        if (wanted is None and found) or (wanted and not any(wanted in f for f in found)):
            print(f"self-test: {name}: expected {wanted}, found {found}")
            failed += 1
    print(f"layering self-test: {len(cases) - failed} of {len(cases)} trees judged rightly")
    return failed


def main():
    if "--self-test" in sys.argv[1:]:
        return 1 if self_test() else 0
    violations = check_tree(Path(__file__).resolve().parent.parent)
    print("\n".join(violations))
    print(f"layering: {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
