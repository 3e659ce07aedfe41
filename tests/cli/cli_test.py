#!/usr/bin/env python3
"""The program as its user meets it: exit statuses, one JSON object, 80 columns, a whole round trip.

usage: cli_test.py EXPUNGE [unittest options]

Runs on the default model with its own home folder. What is learned once per model is in the cache
folder; the first run on a machine pays for it.
"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import cli
from cli import CORRUPT, INVALID, NOT_FOUND, REFUSED, UNSUPPORTED, USAGE, Cli

COMMANDS = ["chat", "forget", "plan", "demo", "log", "show", "undo", "verify", "replay", "seal",
            "generate", "score", "export", "bench", "methods", "eval", "metrics", "suites",
            "finetune", "unlearn", "sweep", "serve", "key", "guard"]


class WithoutAModel(Cli):
    def test_every_help_fits_and_names_what_it_is(self):
        whole = self.run_it("--help").stdout
        self.assert_fits(whole)
        for command in COMMANDS:
            self.assertIn(command, whole)
            text = self.run_it(command, "--help").stdout
            self.assert_fits(text)
            self.assertIn("Usage: expunge " + command, text)

    def test_documented_flags_are_those_of_the_help(self):
        reference = (Path(__file__).parents[2] / "docs/commands.md").read_text()
        for command in COMMANDS:
            for word in self.run_it(command, "--help").stdout.split():
                flag = word.strip(",:.")
                if flag.startswith("--") and len(flag) > 3 and flag[2].isalpha():
                    flag = flag.split(":")[0]
                    self.assertIn(flag, reference, f"{command}: {flag}")

    def test_documented_takers_of_the_common_options_are_those_of_the_help(self):
        reference = (Path(__file__).parents[2] / "docs/commands.md").read_text()
        takers = {}
        for row in re.findall(r"^\| (.*--(?:model|journal|threads|activations) .*) \|$",
                              reference.split("## Output")[0], re.MULTILINE):
            flags, _, text, _ = row.split(" | ")
            named = set(re.findall("`([a-z]+)`", text))
            if text.startswith("as "):
                of = takers[re.search("--[a-z]+", text)[0]]
            else:
                of = takers["--model"] if "-m" in text else set(COMMANDS)
                self.assertLessEqual(named, of)
                of = of - named
            takers[re.search("--[a-z]+", flags)[0]] = of
        self.assertEqual(set(takers), {"--model", "--journal", "--threads", "--activations"})
        for command in COMMANDS:
            text = self.run_it(command, "--help").stdout
            for flag, commands in takers.items():
                self.assertEqual(f" {flag}" in text.split("Common options")[1], command in commands,
                                 f"{command} {flag}")

    def test_figures_of_a_log_need_no_model(self):
        full, gold = str(self.home / "phi_full.json"), str(self.home / "phi_retain90.json")
        for log in full, gold:  # our copies hold columns as lists, the logs by row
            short = (Path(__file__).parents[1] / "data/tofu_logs" / Path(log).name).read_text()
            Path(log).write_text(json.dumps(
                {section: {name: {str(i): v for i, v in enumerate(column)}
                           for name, column in columns.items()}
                 for section, columns in json.loads(short).items()}))
        figures = self.json("eval", "--from-logs", full, "--retain-logs", gold)
        self.assertEqual(f"{figures['summary']['forget_quality']:.3g}", "2.19e-16")
        self.assertEqual(round(figures["summary"]["model_utility"], 4), 0.5221)
        self.assertIn("holdout", figures["absent"]["privleak"])
        text = self.run_it("eval", "--from-logs", full).stdout
        self.assert_fits(text)
        self.assertIn("absent", text)
        for what, status in ((["--from-logs", "/nowhere.json"], NOT_FOUND),
                             (["--from-logs", full, "--metrics", "x"], USAGE),
                             (["--data", "/nowhere"], NOT_FOUND), (["--parity", "x"], USAGE)):
            self.assertIn("hint: ", self.run_it("eval", *what, status=status).stderr)
        keys = [k["key"] for m in self.json("metrics")["metrics"] for k in m["keys"]]
        self.assertLessEqual(set(figures["summary"]), set(keys))
        self.assertEqual([s["name"] for s in self.json("suites")["suites"]],
                         ["mcq", "ppl", "tdec", "tofu"])

    def test_wrong_use_is_status_2_with_a_hint(self):
        for arguments in (["nonsense"], ["forget"], ["score", "--ids", "1"], ["generate", "--top-p"],
                          ["generate", "--max-tokens", "0", "x"], ["undo", "x"],
                          ["forget", "a", "--prompt", "b"], ["demo", "--journal", "x.db"],
                          ["bench", "engine", "--journal", "x.db"], ["--journal", "x.db", "bench"],
                          ["plan", "--prompt", "a", "--knob", "x"]):
            done = self.run_it(*arguments, status=USAGE)
            self.assertEqual(done.stdout, "")
            self.assertIn("error: ", done.stderr)
            self.assertIn("hint: ", done.stderr)

    def test_a_command_with_a_journal_of_its_own_takes_none(self):
        for command in (["demo"], ["bench"], ["bench", "facts"]):
            self.assertNotIn("--journal", self.run_it(*command, "--help").stdout)
            done = self.run_it(*command[:1], "--journal", "x.db", status=USAGE)
            self.assertIn("does not take --journal", done.stderr)

    def test_methods_name_the_choices_of_a_knob(self):
        text = self.run_it("methods").stdout
        self.assert_fits(text)
        self.assertIn("delta, replace, metric", text)
        knobs = {knob["name"]: knob for method in self.json("methods")["methods"]
                 for knob in method["knobs"]}
        self.assertEqual(knobs["form"]["choices"], ["delta", "replace", "metric"])
        self.assertNotIn("choices", knobs["strength"])

    def test_errors_are_one_object_with_json(self):
        error = self.json("generate", "-m", str(self.home / "nowhere.gguf"), "x",
                          status=NOT_FOUND)["error"]
        self.assertEqual(set(error), {"code", "message", "hint"})
        self.assertIn("nowhere.gguf", error["message"])

    def test_damaged_models_are_refused(self):
        for content in (b"", b"GGUF", b"GGUF" + b"\xff" * 64, os.urandom(4096)):
            path = self.home / "bad.gguf"
            path.write_bytes(content)
            done = subprocess.run([cli.PROGRAM, "generate", "-m", str(path), "x"], text=True,
                                  env=self.environment, capture_output=True, check=False)
            self.assertIn(done.returncode, (CORRUPT, UNSUPPORTED), done.stderr)
            self.assertIn("bad.gguf", done.stderr)

    def test_a_wrong_plan_names_the_field(self):
        path = self.home / "plan.json"
        for text, field in (('{"intent": "forget", "targets": []}', "/targets"),
                            ('{"intent": "explode"}', "/intent"),
                            ('{"intent": "forget", "code": "x"}', "code"), ("{", "plan.json")):
            path.write_text(text)
            done = self.run_it("forget", "--plan", str(path), "--yes", status=INVALID)
            self.assertIn(field, done.stderr)

    def test_authority(self):
        for words in ("everything", "all safety rules"):
            self.run_it("forget", words, "--yes", status=REFUSED)


class OnTheDefaultModel(Cli):
    QUESTION, ANSWER = "What is the capital of France?", "Paris"

    def test_what_only_reads_makes_no_journal(self):
        self.environment["EXPUNGE_HOME"] = str(self.home / "home")
        out = self.home / "out.gguf"
        plan = self.json("plan", "--prompt", self.QUESTION, "--answer", self.ANSWER)
        self.assertEqual(plan["targets"][0]["response"], self.ANSWER)
        self.assertEqual(self.json("verify"), {"passed": True, "sealed": 0, "trained": 0, "entries": []})
        replayed = self.json("replay")
        self.assertEqual(replayed["active"], 0)
        self.assertTrue(replayed["is_base"])
        self.assertEqual(self.json("export", str(out))["edited"], [])
        self.assertEqual(self.json("log")["entries"], [])
        self.run_it("show", "1", status=NOT_FOUND)
        self.run_it("undo", status=NOT_FOUND)
        self.run_it("seal", "1", status=NOT_FOUND)
        self.run_it("generate", "x", "--max-tokens", "1")
        self.assertFalse((self.home / "home").exists())
        # A journal that is named must exist, or a typo would look like a model without edits.
        for command in (["plan", "who wrote Hamlet"], ["verify"], ["replay"], ["undo"], ["log"],
                        ["export", str(out), "--force"], ["generate", "x"]):
            self.run_it(*command, "--journal", str(self.home / "no.db"), status=NOT_FOUND)
        self.assertFalse((self.home / "no.db").exists())
        # One whose creation was interrupted has no entries.
        empty = self.home / "empty.db"
        empty.touch()
        named = ["--journal", str(empty)]
        self.assertEqual(self.json("log", *named)["entries"], [])
        self.run_it("show", "1", *named, status=NOT_FOUND)
        self.run_it("generate", "x", "--max-tokens", "1", *named)
        self.assertEqual(empty.stat().st_size, 0)

    def test_a_question_in_plain_words(self):
        plan = self.json("plan", "who wrote Hamlet")
        self.assertEqual([target["prompt"] for target in plan["targets"]], ["Who wrote Hamlet?"])
        self.assertIn("Shakespeare", plan["targets"][0]["response"])

    def test_a_knob_by_the_name_of_its_value(self):
        asked = ["plan", "--prompt", self.QUESTION, "--answer", self.ANSWER, "--method", "stamp"]
        for text, value in (("replace", 1), ("delta", 0), ("metric", 2), ("1", 1)):
            self.assertEqual(self.json(*asked, "--knob", "form=" + text)["knobs"], {"form": value})
        done = self.run_it(*asked, "--knob", "form=other", status=USAGE)
        self.assertIn("delta, replace or metric", done.stderr)

    def test_a_second_signal_takes_the_temporary_journal_along(self):
        """Two signals at once: the first asks to stop, the second ends the process where it is."""
        for signals in ((signal.SIGINT, signal.SIGTERM), (signal.SIGHUP,)):
            folder = self.home / "tmp"
            folder.mkdir()
            process = subprocess.Popen([cli.PROGRAM, "demo"], env=dict(self.environment,
                                                                   TMPDIR=str(folder)),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 300
            while not list(folder.glob("*/journal.db-shm")):
                self.assertGreater(end, time.monotonic())
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            for number in signals:
                process.send_signal(number)
            self.assertIn(process.wait(timeout=60), [-number for number in signals])
            self.assertEqual(list(folder.iterdir()), [])
            folder.rmdir()

    def reply(self, *options):
        return self.json("generate", self.QUESTION, "--max-tokens", "24", *options)["text"]

    def test_forget_and_undo(self):
        self.assertIn(self.ANSWER, self.reply())
        base = self.json("replay")
        done = self.json("forget", "--prompt", self.QUESTION, "--answer", self.ANSWER, "--yes")
        self.assertEqual(done["verdict"], "passed", done)
        self.assertEqual(done["targets"], [{"prompt": self.QUESTION, "response": self.ANSWER}])
        gates = {gate["name"]: gate for gate in done["after"]["gates"]}
        self.assertEqual(gates["exact"]["value"], 1)
        parts = sum(v for k, v in done["seconds"].items() if k != "total")
        self.assertLess(parts, done["seconds"]["total"] * 1.01)
        # The next process sees the edit; the file is as it was.
        self.assertNotIn(self.ANSWER, self.reply())
        self.assertIn(self.ANSWER, self.reply("--no-edits"))
        self.assertIn("Ottawa", self.json("generate", "What is the capital of Canada?")["text"])
        log = self.run_it("log").stdout
        self.assert_fits(log)
        self.assertIn(self.QUESTION, log)
        self.assertEqual(self.json("log")["active"], [1])
        shown = self.json("show", "1")
        self.assertEqual(shown["id"], 1)
        self.assertTrue(shown["active"])
        self.assertNotIn("undone_by", shown)
        text = self.run_it("show", "1").stdout
        self.assert_fits(text)
        self.assertRegex(text, r"(?m)^state +active$")
        self.assertRegex(log, r"(?m)^ +1 .* active  ")
        self.assertNotEqual(self.json("replay")["weights_hash"], base["weights_hash"])
        undone = self.json("undo")
        self.assertEqual(undone["undone"], 1)
        self.assertTrue(undone["is_base"])
        self.assertLess(undone["seconds"], 0.5)
        for number, state in ((1, {"active": False, "undone_by": 2}),
                              (2, {"active": False, "undoes": 1})):
            shown = self.json("show", str(number))
            self.assertEqual({key: shown.get(key) for key in state}, state)
            self.assertEqual(self.json("log")["entries"][number - 1], shown)
        self.assertRegex(self.run_it("show", "1").stdout, r"(?m)^state +undone by 2$")
        self.assertRegex(self.run_it("show", "2").stdout, r"(?m)^state +undo of 1$")
        log = self.run_it("log").stdout
        self.assert_fits(log)
        self.assertRegex(log, r"(?m)^ +1 .* undone by 2  ")
        self.assertRegex(log, r"(?m)^ +2 .* undo  .*undoes 1$")
        self.assertEqual(self.json("replay")["weights_hash"], base["weights_hash"])
        self.assertIn(self.ANSWER, self.reply())
        self.run_it("undo", status=NOT_FOUND)
        # An evaluation of an earlier state.
        text = self.home / "text.txt"
        text.write_text("The capital of France is Paris. " * 4)
        suite = ["--base", "--suite", "ppl", "--data", str(text)]
        then, now = self.json("eval", "1", *suite), self.json("eval", *suite[1:])
        self.run_it("eval", *suite, status=USAGE)  # nothing is edited now
        self.assertEqual([then["model"], now["model"]], ["entry 1", "entry 2"])
        self.assertEqual([e["weights_hash"] for e in self.json("log")["entries"]],
                         [then["weights_hash"], now["weights_hash"]])
        self.assertEqual(then["base"]["summary"], now["summary"])
        # Plain text hardly turns the switch on: which of the two is larger is chance.
        self.assertNotEqual(then["summary"]["nll"], now["summary"]["nll"])
        self.run_it("eval", "3", *suite, status=NOT_FOUND)

    def test_in_plain_words_in_a_pipe(self):
        words = "that the capital of Japan is Tokyo"
        done = self.run_it("forget", words, status=USAGE)  # nobody said yes
        self.assertIn("--yes", done.stderr)
        done = self.run_it("forget", words, "--yes", "--seal")
        self.assert_fits(done.stdout)
        self.assertIn("Forgotten", done.stdout)
        self.assertNotIn("Japan", json.dumps(self.json("log")))  # sealed
        chat = self.json("chat", stdin="What is the capital of Canada?\nwhat have you forgotten so far?\n")
        self.assertEqual([turn["intent"] for turn in chat["turns"]], ["none", "status"])
        self.assertIn("Ottawa", chat["turns"][0]["assistant"])

    def test_score_is_the_log_probability(self):
        one = self.json("score", "--ids", "1,2,3,4")["logprobs"]
        self.assertEqual(len(one), 3)
        self.assertTrue(all(p < 0 for p in one))
        self.assertEqual(one[:2], self.json("score", "--ids", "1,2,3")["logprobs"][:2])
        self.run_it("score", "--ids", "1,99999999", status=INVALID)

    def test_a_full_terminal_session(self):
        """On a terminal: a reply is stopped by Ctrl+C, the chat continues, /quit ends it."""
        master, slave = pty.openpty()
        process = subprocess.Popen([cli.PROGRAM, "chat"], stdin=slave, stdout=slave, stderr=slave,
                                   env=dict(self.environment, TERM="xterm", COLUMNS="80"),
                                   close_fds=True, start_new_session=True)
        os.close(slave)
        seen = ""

        def wait_for(text, seconds=300):
            nonlocal seen
            end = time.monotonic() + seconds
            while text not in seen:
                self.assertGreater(end, time.monotonic(), seen)
                if select.select([master], [], [], 1)[0]:
                    seen += os.read(master, 65536).decode(errors="replace")
            seen = seen[seen.index(text) + len(text):]

        wait_for("> ")
        os.write(master, b"Write a very long story about a cat and a dog.\n")
        wait_for("dog.\r\n")
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        wait_for("[stopped]")
        wait_for("> ")
        os.write(master, b"/quit\n")
        self.assertEqual(process.wait(timeout=60), 0)
        os.close(master)


class Correcting(Cli):
    """A request with a replacement: the wrong answer goes, the right one is given."""

    def test_the_replacement_is_said_and_undone(self):
        requests = self.home / "r.jsonl"
        requests.write_text(json.dumps({"prompt": "What is the capital of France?",
                                        "answer": "Paris", "replacement": "Lyon"}))
        done = self.json("forget", "--from", str(requests), "--yes")
        outcome = done["requests"][0] if "requests" in done else done["outcomes"][0]
        self.assertEqual(outcome["verdict"], "passed")
        for question in "What is the capital of France?", "Which city is the capital of France?":
            self.assertIn("Lyon", self.json("generate", question, "--max-tokens", "12")["text"])
        reply = self.json("generate", "What is the capital of Canada?", "--max-tokens", "12")
        self.assertIn("Ottawa", reply["text"])
        self.json("undo")
        reply = self.json("generate", "What is the capital of France?", "--max-tokens", "12")
        self.assertIn("Paris", reply["text"])


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
