#!/usr/bin/env python3
"""tools/deps.sh --print-cargo among programs that are not what their names say. No network."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = (Path(__file__).resolve().parents[2] / "tools/deps.sh").read_text(encoding="utf-8")
SYSTEM = "system_folders=(/usr/local/bin /usr/bin)\n"
RUSTUP = "error: rustup could not choose a version of cargo to run, because one wasn't specified"


class ChooseCargo(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        self.home = self.root / "home"
        self.home.mkdir()
        # The machine's own cargo stays out of it: the programs that the script calls, and no others.
        (self.root / "tools").mkdir()
        for name in ("bash", "cat", "grep", "sed", "sh", "sort", "timeout"):
            (self.root / "tools" / name).symlink_to(shutil.which(name))

    def program(self, path, says, status=0):
        """A program at `path`, below the test's folder, that prints a line whatever it is asked."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        stream = ">&2" if status else ""
        file.write_text(f'#!/bin/sh\necho "{says}" {stream}\nexit {status}\n')
        file.chmod(0o755)
        return str(file)

    def pair(self, folder, version, suffix=""):
        return [self.program(f"{folder}/{name}{suffix}", f"{name} {version} (0000000 2025-01-01)")
                for name in ("cargo", "rustc")]

    def proxy(self, folder):
        """What Debian's package rustup leaves before anyone has chosen a toolchain."""
        for name in ("cargo", "rustc"):
            self.program(f"{folder}/{name}", RUSTUP, status=1)

    def run_script(self, *folders, least=85, **variables):
        self.assertIn(SYSTEM, SCRIPT)
        self.assertIn("cargo_minor=85\n", SCRIPT)
        script = self.root / "deps.sh"
        script.write_text(SCRIPT.replace(SYSTEM, f'system_folders=("{self.root}/system")\n').replace(
            "cargo_minor=85\n", f"cargo_minor={least}\n"), encoding="utf-8")
        path = ":".join(str(self.root / folder) for folder in [*folders, "tools"])
        environment = {"PATH": path, "HOME": str(self.home), **variables}
        return subprocess.run(["bash", script, "--print-cargo"], env=environment, check=False,
                              capture_output=True, text=True)

    def expect(self, chosen, *folders, **variables):
        done = self.run_script(*folders, **variables)
        self.assertEqual((done.returncode, done.stdout.splitlines()), (0, chosen), done.stderr)

    def test_the_first_on_path(self):
        self.pair("b", "1.90.0")
        self.expect(self.pair("a", "1.95.0-nightly"), "a", "b")

    def test_rustup_without_a_toolchain_is_passed_over(self):
        self.proxy("proxy")
        self.expect(self.pair("good", "1.85.1"), "proxy", "good")

    def test_too_old_is_passed_over(self):
        self.pair("old", "1.84.9")
        self.expect(self.pair("good", "1.100.0"), "old", "good")

    def test_rustc_must_run_and_be_of_the_same_version(self):
        self.program("broken/cargo", "cargo 1.90.0")
        self.program("broken/rustc", RUSTUP, status=1)
        self.program("other/cargo", "cargo 1.91.0")
        self.program("other/rustc", "rustc 1.70.0")
        self.expect(self.pair("good", "1.92.0"), "broken", "other", "good")

    def test_rustc_may_be_elsewhere_on_path(self):
        self.proxy("proxy")
        cargo = self.program("a/cargo", "cargo 1.90.0")
        rustc = self.program("b/rustc", "rustc 1.90.2")
        self.expect([cargo, rustc], "proxy", "a", "b")

    def test_versioned_programs(self):
        self.proxy("proxy")
        self.pair("distribution", "1.89.0", suffix="-1.89")
        self.pair("distribution", "1.75.0", suffix="-1.75")
        self.expect(self.pair("distribution", "1.101.0", suffix="-1.101"), "proxy", "distribution")

    def test_the_distributions_after_a_proxy(self):
        self.proxy("home/.cargo/bin")
        self.expect(self.pair("system", "1.85.0"), "home/.cargo/bin")

    def test_outside_path(self):
        self.proxy("proxy")
        self.expect(self.pair("home/.cargo/bin", "1.86.0"), "proxy")

    def test_a_toolchain_that_rustup_does_not_run(self):
        self.proxy("home/.cargo/bin")
        self.pair("home/.rustup/toolchains/stable-x/bin", "1.90.0")
        chosen = self.pair("home/.rustup/toolchains/stable-y/bin", "1.90.0")
        self.expect(chosen, "home/.cargo/bin")

    def test_the_users_wish_comes_first(self):
        self.pair("a", "1.90.0")
        chosen = self.pair("my tools", "1.88.0")
        self.expect(chosen, "a", CARGO=chosen[0])

    def test_an_earlier_choice_is_no_candidate(self):
        cache = self.root / "cache"
        chosen = self.pair("good", "1.90.0")
        (cache / "bin").mkdir(parents=True)
        for program in chosen:
            (cache / "bin" / Path(program).name).symlink_to(program)
        self.expect(chosen, "cache/bin", "good", EXPUNGE_CACHE=str(cache))

    def test_nothing_fits(self):
        self.proxy("proxy")
        self.pair("old", "1.85.0")
        done = self.run_script("proxy", "old", least=9000)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(RUSTUP, done.stderr)
        self.assertIn(f"{self.root}/old/cargo: cargo 1.85.0", done.stderr)
        self.assertFalse(os.listdir(self.home), "--print-cargo leaves no trace")


if __name__ == "__main__":
    unittest.main()
