#!/usr/bin/env python3
"""The page in headless Chromium and OpenAI's own clients: against a mock, then against the program.

    tests/web/run.py build/release/expunge

Fetches the clients from the registries (tests/web/package-lock.json, requirements.txt) and, on Debian,
Chromium. The last line is the sum: N passed, N failed, N skipped.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent.parent / "build/web-venv"


def fetch():
    if not shutil.which("chromium"):
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        subprocess.run([*root, "apt-get", "install", "-yq", "chromium"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    if not (VENV / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r",
                    HERE / "requirements.txt"], check=True)


def numbers(text, pattern):
    return sum(map(int, re.findall(pattern, text, re.MULTILINE)))


class Sum:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, command, **environment):
        done = subprocess.run(command, cwd=HERE, env=dict(os.environ, **environment), text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
        out = done.stdout
        python = re.search(r"^Ran (\d+) tests?", out, re.MULTILINE)
        failed = numbers(out, r"^(?:ℹ|#) fail (\d+)") + numbers(out, r"(?:failures|errors)=(\d+)")
        skipped = numbers(out, r"^(?:ℹ|#) skipped (\d+)") + numbers(out, r"skipped=(\d+)")
        passed = numbers(out, r"^(?:ℹ|#) pass (\d+)")
        if python:
            passed += int(python[1]) - failed - skipped
        if done.returncode and not failed:
            failed = 1
        if failed:
            print(out)
        print(f"{' '.join(map(str, command[-2:]))}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped


def main():
    program = str(Path(sys.argv[1]).resolve())
    fetch()
    total = Sum()
    page = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    total.run(["node", "--test", *page])
    with tempfile.TemporaryDirectory(prefix="expunge-web-") as home:
        server = subprocess.Popen([program, "serve", "--port", "0"], text=True, stdout=subprocess.PIPE,
                                  env=dict(os.environ, EXPUNGE_HOME=home))
        try:
            url = server.stdout.readline().split()[0]
            total.run(["node", "--test", "--test-concurrency=1", *page], EXPUNGE_URL=url)
            total.run(["node", "--test", str(HERE / "openai.client.mjs")], EXPUNGE_URL=url)
            total.run([VENV / "bin/python", HERE / "clients_test.py"], EXPUNGE_URL=url)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    sys.exit(total.failed > 0)


if __name__ == "__main__":
    main()
