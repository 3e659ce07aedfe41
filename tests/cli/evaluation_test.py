#!/usr/bin/env python3
"""eval as its user meets it, on the default model and a few items.

usage: evaluation_test.py EXPUNGE [unittest options]
"""
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cli
from cli import CONFLICT, NOT_FOUND, USAGE, Cli

FAULTS = Path(__file__).resolve().parents[1] / "data" / "faults"


class Evaluating(Cli):
    """expunge eval on the default model, a few items."""

    def test_the_other_suites(self):
        text = self.home / "text.txt"
        text.write_text("The capital of France is Paris. The capital of Canada is Ottawa. " * 4)
        ppl = self.json("eval", "--suite", "ppl", "--data", str(text), "--context", "32",
                        "--stride", "16")
        self.assertLess(ppl["summary"]["ppl"], 20)
        table = self.home / "capitals_test.csv"
        table.write_text('What is the capital of France?,Rome,Paris,Oslo,Bonn,B\n'
                         '"What is the capital of Peru, please?",Lima,Paris,Oslo,Bonn,A\n')
        mcq = self.json("eval", "--suite", "mcq", "--data", str(table))
        self.assertEqual(mcq["summary"]["n_items"], 2)
        self.assertEqual(len(mcq["records"]["capitals"]["0"]["logprobs"]), 4)
        lines = self.home / "sequences.jsonl"
        lines.write_text(json.dumps({"text": "one two three four five six seven eight nine ten " * 4}))
        tdec = self.json("eval", "--suite", "tdec", "--data", str(lines))
        self.assertGreater(tdec["summary"]["ma"], 0.5)
        self.run_it("eval", "--suite", "ppl", "--data", "/nowhere.txt", status=NOT_FOUND)

    def test_an_interrupted_suite_resumes(self):
        data, out = self.home / "mcq", self.home / "run"
        data.mkdir()
        for subject, n in (("a", 2), ("b", 60), ("c", 60)):
            (data / (subject + "_test.csv")).write_text(
                "".join(f"Which is {i} and {i}?,{2 * i},{i},{i + 1},{i * i},A\n" for i in range(n)))
        common = ["eval", "--suite", "mcq", "--data", str(data), "--json"]
        process = subprocess.Popen([cli.PROGRAM, *common, "--out", str(out)], env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (out / "evaluation.json").exists():  # its first subject is done
            self.assertIsNone(process.poll())
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(), 130)
        kept = json.loads((out / "evaluation.json").read_text())
        self.assertEqual(len(kept["records"]["a"]), 2)
        self.assertNotIn("c", kept["records"])
        # What was scored is not scored again: a mark in it stays.
        right = kept["records"]["a"]["1"]["logprobs"][3]
        kept["records"]["a"]["1"]["logprobs"][3] = -99.5
        (out / "evaluation.json").write_text(json.dumps(kept))
        again = self.json(*common[:-1], "--out", str(out))
        self.assertEqual(again["records"]["a"]["1"]["logprobs"][3], -99.5)
        again["records"]["a"]["1"]["logprobs"][3] = right
        whole = self.json(*common[:-1])
        self.assertEqual(again["summary"], whole["summary"])
        self.assertEqual(again["records"], whole["records"])

    def test_resumes_where_it_stopped(self):
        data = self.home / "tofu"
        data.mkdir()
        items = [{"question": f"What is the capital of {c}?", "answer": f"{a}.",
                  "paraphrased_answer": f"It is {a}.",
                  "perturbed_answer": ["It is Bonn.", "It is Oslo."]}
                 for c, a in (("France", "Paris"), ("Canada", "Ottawa"), ("Peru", "Lima"))]
        for name in ("forget10_perturbed", "retain_perturbed"):
            (data / (name + ".json")).write_text("\n".join(json.dumps(i) for i in items))
        out = self.home / "run"
        common = ["eval", "--data", str(data), "--sets", "forget,retain", "--max-tokens", "12",
                  "--out", str(out)]
        first = self.json(*common, "--limit", "3")
        self.assertEqual(first["tokens"]["scored"] > 0, True)
        self.assertEqual(first["summary"]["forget_Q_A_ROUGE"], 1)
        self.assertLess(first["summary"]["retain_Truth_Ratio"], 1)
        self.assertIn("retain-only", first["absent"]["forget_quality"])
        page = (out / "report.html").read_text()
        self.assertIn("What is the capital of Peru?", page)
        # Half of it lost: only that is computed again, with the same figures.
        kept = json.loads((out / "evaluation.json").read_text())
        del kept["records"]["retain"]
        (out / "evaluation.json").write_text(json.dumps(kept))
        again = self.json(*common, "--limit", "3")
        self.assertEqual(again["tokens"]["scored"] * 2, first["tokens"]["scored"])
        self.assertEqual(again["summary"], first["summary"])
        # Fewer items in the same folder are refused, and other settings; more are scored.
        self.run_it(*common, "--limit", "2", status=CONFLICT)
        self.run_it(*common, "--limit", "3", "--system", "Be kind.", status=CONFLICT)
        small = ["eval", "--data", str(data), "--sets", "forget", "--max-tokens", "12", "--out",
                 str(self.home / "small")]
        scored = [self.json(*small, "--limit", str(n))["tokens"]["scored"] for n in (1, 2, 3)]
        self.assertGreater(min(scored), 0)
        self.assertEqual(sum(scored) * 2, first["tokens"]["scored"])
        items[0]["perturbed_answer"][0] = "It is Rome."
        (data / "forget10_perturbed.json").write_text("\n".join(json.dumps(i) for i in items))
        self.run_it(*small, "--limit", "3", status=CONFLICT)
        # A model against itself as the one that never saw: the same distribution.
        self.run_it(*common[:-2], "--retain-logs", str(out / "evaluation.json"), "--no-generation",
                    status=USAGE)  # --max-tokens has no effect
        gold = self.json(*common[:-4], "--retain-logs", str(out / "evaluation.json"),
                         "--no-generation")
        self.assertEqual(gold["summary"]["forget_quality"], 1)
        # Fewer rows than its log has: refused before a model is loaded, by the first row.
        fewer = [*common[:-4], "--limit", "1", "--retain-logs", str(out / "evaluation.json"),
                 "--no-generation"]
        refused = self.run_it(*fewer, status=CONFLICT).stderr
        self.assertIn("row 1", refused)
        self.assertIn("--force", refused)
        self.assertIn("forget_quality", self.json(*fewer, "--force")["summary"])
        # The log by itself: its figures and the page are written where --out says.
        log = self.home / "log"
        figures = self.json("eval", "--from-logs", str(out / "evaluation.json"), "--out", str(log))
        self.assertEqual(figures["summary"], again["summary"])
        self.assertIn("What is the capital of Peru?", (log / "report.html").read_text())
        self.assertEqual(json.loads((log / "evaluation.json").read_text())["records"],
                         again["records"])

    def test_options_that_a_mode_ignores_are_refused(self):
        log = str(self.home / "log.json")
        for wrong in (["--from-logs", log, "--suite", "tofu"], ["--from-logs", log, "--base"],
                      ["--from-logs", log, "--limit", "3"], ["--from-logs", log, "3"],
                      ["--from-logs", log, "-m", "model"], ["--from-logs", log, "--force"],
                      ["--suite", "ppl", "--examples", "x"], ["--suite", "mcq", "--stride", "3"],
                      ["--suite", "tdec", "--no-generation"], ["--context", "32"],
                      ["model.gguf", "-m", "model.gguf"], ["model.gguf", "--base"]):
            self.assertIn("error: ", self.run_it("eval", *wrong, status=USAGE).stderr)
        text = self.home / "text.txt"
        text.write_text("one two three")
        self.assertIn("--base", self.run_it("eval", "--suite", "ppl", "--data", str(text), "--base",
                                            status=USAGE).stderr)

    def test_other_scripts_and_long_items(self):
        given = [json.loads(line) for line in (FAULTS / "unicode.json").read_text().splitlines()]
        given.append({"question": "word " * 9000, "answer": "x"})
        data = self.home / "forget.json"
        data.write_text("\n".join(json.dumps(item) for item in given))
        common = ["eval", "--forget", str(data), "--sets", "forget", "--max-tokens", "4"]
        got = self.json(*common)
        self.assertIn("2 of 3 records (forget row 0: ", got["left_out"]["forget_Q_A_ROUGE"])
        self.assertEqual(len(got["records"]["forget"]), 3)
        [skipped] = got["skipped"]
        self.assertEqual((skipped["set"], skipped["row"], skipped["file"]), ("forget", 3, str(data)))
        shown = self.run_it(*common).stdout
        self.assertIn("skipped: 1 item; it is forget row 3 of", shown)
        self.assertIn("forget_Q_A_ROUGE leaves out 2 of 3 records", shown)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
