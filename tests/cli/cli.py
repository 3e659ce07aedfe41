"""What the tests of the program share: their home folder, one JSON object, 80 columns, the report."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = ""
USAGE, INVALID, CORRUPT, NOT_FOUND, UNSUPPORTED, CONFLICT, REFUSED, IO = 2, 3, 4, 5, 6, 7, 8, 11


class Cli(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="expunge-cli-")
        self.home = Path(self.folder.name)
        self.environment = dict(os.environ, EXPUNGE_HOME=str(self.home), LC_ALL="C.UTF-8")

    def tearDown(self):
        self.folder.cleanup()

    def run_it(self, *arguments, stdin="", status=0):
        done = subprocess.run([PROGRAM, *arguments], input=stdin, env=self.environment, text=True,
                              capture_output=True, timeout=1200, check=False)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments, stdin="", status=0):
        """Exactly one JSON object and nothing else on stdout."""
        out = self.run_it(*arguments, "--json", stdin=stdin, status=status).stdout
        self.assertEqual(out.count("\n"), 1, out)
        return json.loads(out)

    def assert_fits(self, text):
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.assertNotIn("\033", text)


def main(module):
    """The tests of a module that was started as X_test.py EXPUNGE [unittest options]. Leaves GoogleTest's
    report, which the summary of `make test` is made of."""
    global PROGRAM
    PROGRAM = sys.argv.pop(1)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    if len(sys.argv) > 1:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], module)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    where = os.environ.get("GTEST_OUTPUT", "")
    if where.startswith("json:"):
        bad = len(result.failures) + len(result.errors)
        cases = [{"status": "RUN", "result": "COMPLETED", "classname": "Cli", "name": str(i),
                  **({"failures": [{}]} if i < bad else {})} for i in range(result.testsRun)]
        Path(where[5:], Path(module.__file__).stem + ".json").write_text(
            json.dumps({"testsuites": [{"testsuite": cases}]}))
    sys.exit(not result.wasSuccessful())
