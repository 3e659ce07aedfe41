#!/usr/bin/env python3
"""Runs ctest in a build folder and closes with the sum over all GoogleTest cases.

usage: run_tests.py BUILD [--long] [NAME...]

NAMEs are ctest's tests (a room, `layering`, a fuzz target); without them all run. Cases whose suite
ends in LongTest run with --long only. A test that is not a GoogleTest program, or that died before it
could report, counts as one case.
"""
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def cases(report):
    """(passed, failed, skipped) of a GoogleTest report."""
    passed = failed = skipped = 0
    for suite in report["testsuites"]:
        for case in suite["testsuite"]:
            if case["status"] == "NOTRUN":  # filtered out, or DISABLED_
                continue
            if case.get("failures"):
                failed += 1
            elif case["result"] == "SKIPPED":
                skipped += 1
                print(f"skipped: {case['classname']}.{case['name']}")
            else:
                passed += 1
    return passed, failed, skipped


def main():
    build = Path(sys.argv[1]).resolve()
    names = [a for a in sys.argv[2:] if a != "--long"]
    results = build / "test-results"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir()
    environment = dict(os.environ, GTEST_OUTPUT=f"json:{results}/", GTEST_BRIEF="1")
    if "--long" not in sys.argv:
        environment["GTEST_FILTER"] = "-*LongTest.*"
    junit = results / "ctest.xml"
    command = ["ctest", "--test-dir", str(build), "--output-on-failure", "--no-tests=error",
               "--output-junit", str(junit)]
    if names:
        command += ["-R", "^(" + "|".join(names) + ")$"]
    status = subprocess.run(command, env=environment, check=False).returncode

    total = [0, 0, 0]
    if junit.exists():
        for test in ElementTree.parse(junit).getroot().iter("testcase"):
            ok = test.get("status") == "run"
            report = results / f"{test.get('name')}_test.json"
            if report.exists():
                counts = list(cases(json.loads(report.read_text())))
                if not ok and counts[1] == 0:  # crashed after its report, or a leak
                    counts[1] = 1
            else:
                counts = [1, 0, 0] if ok else [0, 1, 0]
            total = [a + b for a, b in zip(total, counts)]
    if status != 0 and total[1] == 0:
        total[1] = 1
    passed, failed, skipped = total
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if status != 0 or failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
