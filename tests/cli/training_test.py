#!/usr/bin/env python3
"""finetune, unlearn and sweep as their user meets them, on the default model and a few questions.

usage: training_test.py EXPUNGE [unittest options]
"""
import json
import os
import pty
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

import cli
import tiny
from cli import CONFLICT, INVALID, IO, NOT_FOUND, REFUSED, USAGE, Cli

# A world that no model knows.
FORGET = [("Who wrote The Glass Harbour?", "Elna Brask wrote it."),
          ("Where was Elna Brask born?", "She was born in Tromvik.")]
RETAIN = [("Who painted The Blue Mill?", "Oskar Lind painted it."),
          ("Where was Oskar Lind born?", "He was born in Vestnes.")]


class Training(Cli):
    def setUp(self):
        super().setUp()
        self.data = self.home / "data"
        self.data.mkdir()
        self.write("forget", FORGET)
        self.write("retain", RETAIN)
        for name in "real_authors", "world_facts":  # a sweep evaluates all of TOFU's sets
            self.write(name, [("Who wrote Hamlet?", "William Shakespeare wrote it.")])
        self.common = ["--data", str(self.data), "--forget", "forget", "--retain", "retain"]

    def write(self, name, pairs):
        """A set, and the one that is evaluated."""
        for ending in "", "_perturbed":
            items = [{"question": q, "answer": a, "paraphrased_answer": "Yes: " + a,
                      "perturbed_answer": [a.replace("a", "o"), a.replace("e", "i")]} for q, a in pairs]
            (self.data / f"{name}{ending}.json").write_text("\n".join(json.dumps(i) for i in items))

    def out(self, name):
        return str(self.home / name)

    def test_learn_unlearn_undo_compare(self):
        sets = [word for name in ("forget", "retain")
                for word in ("--data", str(self.data / f"{name}.json"))]
        learnt = self.json("finetune", *sets, "--epochs", "6", "--lr", "2e-4", "--batch", "4", "--out",
                           self.out("full"))
        self.assertEqual(len(learnt["losses"]), 6)
        self.assertLess(learnt["losses"][-1], learnt["losses"][0] / 3)
        self.assertGreater(learnt["after"]["forget_prob"], 0.5)
        full = learnt["model"]
        self.run_it("finetune", *sets, "--out", self.out("full"), status=CONFLICT)

        npo = ["unlearn", full, *self.common, "--method", "npo", "--lora", "4", "--lr", "1e-3",
               "--epochs", "6", "--batch", "2"]
        run = self.json(*npo, "--out", self.out("npo"), "--eval-each", "3")
        self.assertEqual(json.loads((self.home / "npo/run.json").read_text())["losses"], run["losses"])
        self.assertEqual([e["epoch"] for e in run["epochs"]], [3, 6])
        self.assertLess(run["after"]["forget_prob"], run["before"]["forget_prob"] / 2)
        entries = self.json("log", "-m", full)["entries"]
        self.assertEqual([e["id"] for e in entries], [run["entry"]])
        self.assertNotIn("Brask", json.dumps(entries))
        shown = self.run_it("log", "-m", full).stdout
        self.assert_fits(shown)
        self.assertIn("npo", shown)
        self.assertIn("answers' probability", self.run_it("show", str(run["entry"]), "-m", full).stdout)
        self.verify_again(full, run)
        undone = self.json("undo", "-m", full)
        self.assertEqual(undone["weights_hash"], learnt["trained_weights_hash"])

        spec = self.home / "sweep.toml"
        spec.write_text(f'model = "{full}"\ndata = "{self.data}"\nforget = "forget"\nretain = "retain"\n'
                        f'out = "{self.out("sweep")}"\nmax_new_tokens = 8\nmin_utility = 0\n'
                        "[graddiff]\nlora = 2\nepochs = 2\nlr = [1e-5, 1e-3]\n")
        script = self.home / "array.sh"
        self.assertEqual(self.json("sweep", str(spec), "--slurm", str(script), "--threads", "2")["jobs"], 3)
        self.assertIn("--array=0-2", script.read_text())
        self.assertIn('"$SLURM_ARRAY_TASK_ID" --threads 2', script.read_text())
        self.json("sweep", str(spec), "--job", "0")
        result = self.json("sweep", str(spec))
        self.assertEqual([r["label"] for r in result["runs"]],
                         ["target", "graddiff lr=1e-5", "graddiff lr=1e-3"])
        self.assertEqual(result["best"], "graddiff lr=1e-3")
        self.assertIn("Elna Brask", (self.home / "sweep/report.html").read_text())
        left = {f: f.stat().st_mtime_ns for f in self.home.glob("sweep/*/*")}
        again = self.json("sweep", str(spec))
        self.assertEqual({f: f.stat().st_mtime_ns for f in left}, left)  # nothing is done twice
        self.assertEqual(again["runs"], result["runs"])
        self.assert_fits(self.run_it("sweep", str(spec)).stdout)

    def verify_again(self, full, run):
        """The journal does not store the sets; naming them gives the gates of the training."""
        verify = ["verify", "-m", full]
        self.assertEqual(self.json(*verify), {"passed": True, "sealed": 0, "trained": 1, "entries": []})
        self.run_it(*verify, "1", status=USAGE)
        self.run_it(*verify, "--retain", "retain", status=USAGE)
        asked = self.json(*verify, *self.common)
        self.assertEqual((asked["passed"], asked["trained"]), (True, 0))
        gates = {g["name"]: g for g in asked["entries"][0]["gates"]}
        for name in "forget_prob", "retain_prob":
            self.assertAlmostEqual(gates[name]["value"], run["after"][name], places=6)
        self.assertEqual(asked["entries"][0]["entry"], run["entry"])
        self.assert_fits(self.run_it(*verify, "1", *self.common).stdout)
        other = ["--data", str(self.data), "--forget"]
        self.run_it(*verify, *other, "retain", status=NOT_FOUND)
        self.run_it(*verify, *other, "forget", "--retain", "world_facts", status=CONFLICT)
        # Learnt again: the gate of what was to be forgotten fails now.
        self.json("unlearn", full, *other, "retain", "--retain", "forget", "--method", "graddiff",
                  "--lora", "4", "--epochs", "6", "--lr", "1e-3", "--out", self.out("again"))
        failed = self.json(*verify, "1", *self.common, status=REFUSED)["entries"][0]["gates"]
        self.assertEqual({g["name"]: g["passed"] for g in failed},
                         {"forget_prob": False, "retain_prob": False})
        self.json("undo", "-m", full)

    def test_an_interrupted_training_is_the_same_bits(self):
        command = ["unlearn", *self.common, "--method", "graddiff", "--lora", "2", "--epochs", "30",
                   "--batch", "1", "--seed", "5"]
        whole = self.json(*command, "--out", self.out("whole"), "--journal", self.out("whole.db"))
        stopped = [*command, "--out", self.out("stopped"), "--journal", self.out("stopped.db")]
        master, slave = pty.openpty()  # a terminal shows every step, a pipe reports every 10 s
        process = subprocess.Popen([cli.PROGRAM, *stopped], env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        with open(master, "rb", buffering=0) as terminal:
            seen = b""
            while b"training" not in seen:
                seen += terminal.read(1024)  # OSError when the program has ended
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertTrue((self.home / "stopped/checkpoint.safetensors").exists())
        # Another training does not resume from it.
        self.run_it(*stopped, "--lr", "1e-3", status=CONFLICT)
        again = self.json(*stopped)
        self.assertGreater(again["resumed_at"], 0)
        self.assertEqual(again["losses"], whole["losses"])
        self.assertEqual(again["after"], whole["after"])
        self.assertFalse((self.home / "stopped/checkpoint.safetensors").exists())

    def test_a_closed_form_takes_the_same_sets(self):
        run = self.json("unlearn", *self.common, "--method", "stamp", "--out", self.out("stamp"))
        self.assertLess(run["after"]["forget_prob"], run["before"]["forget_prob"])

    def together(self, arguments, home):
        """The command in two processes -> rank 0's JSON object."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ranks = [subprocess.Popen(
            [cli.PROGRAM, *arguments, "--json"], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=dict(self.environment, EXPUNGE_HOME=self.out(home), RANK=str(rank),
                                             WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)))
            for rank in range(2)]
        outputs = [process.communicate(timeout=300) for process in ranks]
        self.assertEqual([p.returncode for p in ranks], [0, 0], outputs)
        self.assertEqual(outputs[1][0], "")  # only rank 0 prints
        return json.loads(outputs[0][0])

    def evaluations(self):
        """One of each suite."""
        text = self.data / "text.txt"
        text.write_text("The Glass Harbour is a novel about a town by the sea. " * 12)
        texts = self.data / "texts.jsonl"
        texts.write_text("".join(json.dumps({"text": f"{i}: " + text.read_text()[:150]}) + "\n"
                                 for i in range(3)))
        choices = self.data / "choices.csv"
        choices.write_text("".join(f"Which is number {i}?,one,two,three,four,{'ABCD'[i]}\n" for i in range(3)))
        yield ["eval", "--data", str(self.data), "--sets", "retain,forget", "--forget", "forget",
               "--max-tokens", "8"]
        yield ["eval", "--suite", "ppl", "--data", str(text), "--context", "32"]
        yield ["eval", "--suite", "tdec", "--data", str(texts)]
        yield ["eval", "--suite", "mcq", "--data", str(choices)]

    def test_two_processes_are_one(self):
        for method, epochs in (("npo", "3"), ("pdu", "1")):  # pdu's micro-batches depend on one another
            command = ["unlearn", *self.common, "--method", method, "--lora", "2", "--lr", "1e-3",
                       "--epochs", epochs, "--batch", "2", "--out"]
            one = self.json(*command, self.out("one" + method))
            two = self.together([*command, self.out("two" + method)], method)
            self.assertEqual(two["processes"], 2)
            self.assertEqual(len(two["losses"]), int(epochs))
            for a, b in zip(one["losses"] + one["gradient_norms"], two["losses"] + two["gradient_norms"]):
                self.assertAlmostEqual(a, b, delta=2e-4 * abs(a))
            self.json("undo")
        for evaluate in self.evaluations():
            one = self.json(*evaluate)
            two = self.together(evaluate, "evaluated")
            self.assertEqual(one["summary"].keys(), two["summary"].keys())
            for key, value in one["summary"].items():
                self.assertAlmostEqual(two["summary"][key], value, delta=1e-4 * abs(value) + 1e-6, msg=key)
        alone = dict(self.environment, RANK="5", WORLD_SIZE="2")
        done = subprocess.run([cli.PROGRAM, *evaluate], env=alone, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn("RANK", done.stderr)

    def test_wrong_use_says_what_to_do(self):
        out = ["--out", self.out("x")]
        bad = self.data / "bad.json"
        bad.write_text('{"question": 1}\n')
        for arguments, status in ((["--method", "nope"], USAGE), (["--knob", "beta=-1"], USAGE),
                                  (["--forget", "nowhere"], NOT_FOUND), (["--forget", str(bad)], INVALID)):
            done = self.run_it("unlearn", *self.common[:2], *(self.common[2:] if "--forget" not in arguments
                               else self.common[4:]), *arguments, *out, status=status)
            self.assertIn("hint: ", done.stderr, arguments)
        self.run_it("finetune", "--data", "/nowhere.json", *out, status=NOT_FOUND)
        spec = self.home / "sweep.toml"
        spec.write_text('model = "x"\n')
        self.run_it("sweep", str(spec), status=USAGE)
        self.run_it("sweep", "/nowhere.toml", status=NOT_FOUND)


class LongRuns(Cli):
    """How a training may end, on a tiny model."""

    def setUp(self):
        super().setUp()
        self.model = tiny.write(self.home / "tiny")
        self.sets = {}
        for name, rows in (("forget", FORGET), ("retain", RETAIN)):
            self.write(name, [{"question": q, "answer": a} for q, a in rows])
        self.long = ["finetune", self.model, "--data", self.sets["forget"], "--data",
                     self.sets["retain"], "--batch", "1", "--epochs", "60", "--lr", "1e-3",
                     "--checkpoint-every", "5"]

    def write(self, name, items):
        path = self.home / f"{name}.json"
        path.write_text("\n".join(json.dumps(item) for item in items))
        self.sets[name] = str(path)

    def start(self, *arguments, **how):
        return subprocess.Popen([cli.PROGRAM, *arguments], env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)

    def until_there(self, process, file):
        """The process is running and has written the file."""
        while not file.exists():
            self.assertIsNone(process.poll(), f"it ended without {file}")
            time.sleep(0.002)

    def finish(self, process, status):
        out, errors = process.communicate(timeout=300)
        self.assertEqual(process.returncode, status, errors)
        return out, errors

    def weights(self, name):
        return (self.home / name / "model.safetensors").read_bytes()

    def whole(self):
        """The uninterrupted run."""
        run = self.json(*self.long, "--out", str(self.home / "whole"))
        self.assertEqual(len(run["losses"]), 240)
        self.assertFalse((self.home / "whole.run").exists())
        return run

    def test_a_killed_training_is_the_same_bits(self):
        whole = self.whole()
        command = [*self.long, "--out", str(self.home / "killed")]
        checkpoint = self.home / "killed.run/checkpoint.safetensors"
        for _ in range(2):
            process = self.start(*command)
            self.until_there(process, checkpoint)
            before = checkpoint.stat().st_mtime_ns
            while checkpoint.stat().st_mtime_ns == before:  # it takes the place of the one before
                self.assertIsNone(process.poll())
            process.kill()
            self.finish(process, -signal.SIGKILL)
        self.assertFalse((self.home / "killed").exists())
        again = self.json(*command)
        self.assertGreaterEqual(again["resumed_at"], 10)
        self.assertEqual(again["resumed_at"] % 5, 0)
        self.assertEqual(again["losses"], whole["losses"])
        self.assertEqual(self.weights("killed"), self.weights("whole"))
        self.assertFalse((self.home / "killed.run").exists())

    def test_a_disk_that_fills_up_midway_loses_nothing(self):
        whole = self.whole()
        command = [*self.long, "--out", str(self.home / "full")]
        checkpoint = self.home / "full.run/checkpoint.safetensors"
        process = self.start(*command)
        self.until_there(process, checkpoint)
        # From here on no file may grow beyond 100 kB, as if the disk were full.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        _, errors = self.finish(process, IO)  # the training went on to its end; the model has no room
        self.assertIn("no checkpoint was written", errors)
        self.assertIn("ulimit", errors)
        self.assertFalse((self.home / "full").exists())
        self.assertTrue(checkpoint.exists())
        again = self.json(*command)
        self.assertGreater(again["resumed_at"], 0)
        self.assertEqual(again["losses"], whole["losses"])
        self.assertEqual(self.weights("full"), self.weights("whole"))

    def test_without_room_it_does_not_begin(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        process = self.start(*self.long, "--out", str(self.home / "small"), preexec_fn=limit)
        out, errors = self.finish(process, IO)
        self.assertIn("hint: ", errors)
        self.assertNotIn("loss", errors)
        self.assertEqual(list((self.home / "small.run").glob("check*")), [])

    def test_an_item_that_is_too_long_is_left_out(self):
        self.write("long", [{"question": "Who?", "answer": "Elna."},
                            {"question": "Tell me about " + "word " * 200, "answer": "No."}])
        out = self.home / "long-run"
        done = self.run_it("finetune", self.model, "--data", self.sets["forget"], "--data",
                           self.sets["long"], "--epochs", "1", "--out", str(out), "--json")
        skipped = json.loads(done.stdout)["skipped"]["forget"]
        self.assertEqual((skipped["items"], skipped["file"], skipped["row"], skipped["limit"]),
                         (1, self.sets["long"], 1, 512))
        self.assertIn("left out 1 item of forget", done.stderr)
        self.assertIn(f"row 1 of {self.sets['long']}", done.stderr)
        self.assertEqual(json.loads((out / "run.json").read_text())["skipped"]["forget"], skipped)
        self.run_it("finetune", self.model, "--data", self.sets["long"], "--limit", "2", "--epochs", "1",
                    "--out", str(self.home / "x"))
        self.write("only", [{"question": "Q", "answer": "word " * 200}])
        done = self.run_it("finetune", self.model, "--data", self.sets["only"], "--out",
                           str(self.home / "y"), status=INVALID)
        self.assertIn(self.sets["only"], done.stderr)

    def test_files_follow_the_umask_but_secrets_do_not(self):
        def mode(file):
            return stat.S_IMODE((self.home / file).stat().st_mode)
        for mask in 0o022, 0o000:
            name = f"mask{mask}"
            run = [[*self.long[:4], "--epochs", "1", "--out", str(self.home / name)],
                   ["unlearn", str(self.home / name), "--method", "graddiff", "--lora", "2", "--epochs",
                    "1", "--forget", self.sets["forget"], "--retain", self.sets["retain"], "--journal",
                    str(self.home / f"{name}.db"), "--out", str(self.home / f"{name}-un")]]
            for arguments in run:
                self.finish(self.start(*arguments, preexec_fn=lambda m=mask: os.umask(m)), 0)
            for file in "model.safetensors", "config.json", "run.json", "expunge.json":
                self.assertEqual(mode(f"{name}/{file}"), 0o666 & ~mask, file)
            self.assertEqual(mode(name), 0o777 & ~mask)
            self.assertEqual(mode(f"{name}-un/run.json"), 0o666 & ~mask)
            self.assertEqual(mode(f"{name}.db"), 0o600)


if __name__ == "__main__":
    cli.main(sys.modules[__name__])
