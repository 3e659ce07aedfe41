#!/usr/bin/env python3
"""`make check`: format, layering, file lengths, the training data; clang-tidy with --tidy. Exits 1 if one of them fails.

clang-tidy reads every translation unit that sees no LibTorch header, itself or through its includes
(2 s each); one that does costs 17 s, so those are read with --tidy-all only.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
LONG, TOO_LONG = 400, 800  # lines: talk about it; never


def sources():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.cc", "*.h"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split()
    return [ROOT / name for name in listed if (ROOT / name).exists()]


def check_format(clang, files):
    program = clang / "clang_format/data/bin/clang-format"
    done = subprocess.run([program, "--dry-run", *files], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines()
                    if "-Wclang-format-violations" in line})
    for name in wrong:
        print(f"format: {os.path.relpath(name, ROOT)}: `make format` mends it")
    return not wrong and done.returncode == 0


def sees_torch(path, known):
    if path in known:
        return known[path]
    known[path] = False  # while its includes are read
    for target in INCLUDE.findall(path.read_text(encoding="utf-8")):
        if target.startswith(("ATen/", "c10/", "torch/")):
            known[path] = True
            break
        header = ROOT / "src" / target
        if not header.exists():
            header = ROOT / "tests" / target
        if header.exists() and sees_torch(header, known):
            known[path] = True
            break
    return known[path]


def tidy_commands(build):
    """The build's commands as clang understands them, without GCC's precompiled headers, in a folder."""
    commands = json.loads((build / "compile_commands.json").read_text())
    for command in commands:
        command["command"] = re.sub(r" -fpch-preprocess| -Winvalid-pch| -include \S+/cmake_pch\.hxx", "",
                                    command["command"])
    folder = build / "tidy"
    folder.mkdir(exist_ok=True)
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    return folder, commands


def check_tidy(clang, build, everything):
    program = clang / "clang_tidy/data/bin/clang-tidy"
    known, units = {}, set()
    folder, commands = tidy_commands(build)
    for command in commands:
        path = Path(command["file"])
        # Tests repeat macros that the checks misread.
        if path.exists() and path.is_relative_to(ROOT / "src") and not path.stem.endswith("_test"):
            if everything or not sees_torch(path, known):
                units.add(path)

    def run(path):
        # libstdc++ 12 uses what it deprecates; gcc is silent about its own headers.
        command = [program, "-p", folder, "--quiet", "--extra-arg=-Wno-deprecated-declarations", path]
        return path, subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    ok = True
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for path, done in pool.map(run, sorted(units)):
            if done.returncode != 0:
                ok = False
                print(f"clang-tidy: {path.relative_to(ROOT)}\n{done.stdout.strip() or done.stderr}")
    print(f"clang-tidy: {len(units)} files")
    return ok and bool(units)


def check_lengths(files):
    ok = True
    for path in files:
        n = len(path.read_text(encoding="utf-8").splitlines())
        if n > LONG:
            print(f"length: {path.relative_to(ROOT)}: {n} lines (aim at 150, talk at {LONG}, never over "
                  f"{TOO_LONG})")
            ok = ok and n <= TOO_LONG
    return ok


def check_layering():
    script = ROOT / "tests/layering.py"
    return all(subprocess.run([sys.executable, script, *flags], check=False).returncode == 0
               for flags in (["--self-test"], []))


def check_data():
    return subprocess.run([sys.executable, ROOT / "tools/check_data.py"], check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clang", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--tidy", action="store_true", help="clang-tidy on files without LibTorch")
    parser.add_argument("--tidy-all", action="store_true", help="clang-tidy on every file")
    flags = parser.parse_args()
    files = sources()
    failed = []
    checks = [("format", lambda: check_format(flags.clang, files)),
              ("length", lambda: check_lengths(files)),
              ("layering", check_layering), ("data", check_data)]
    if flags.tidy or flags.tidy_all:
        checks.append(("clang-tidy", lambda: check_tidy(flags.clang, flags.build.resolve(),
                                                        flags.tidy_all)))
    for name, check in checks:
        begin = time.monotonic()
        if not check():
            failed.append(name)
        print(f"check: {name} {'failed' if name in failed else 'ok'} ({time.monotonic() - begin:.0f} s)",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
