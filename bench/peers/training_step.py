#!/usr/bin/env python3
"""expunge and open-unlearning: one training step, split into its parts, in turn.

    set up as for open_unlearning.py, and: VENV/bin/pip install peft==0.13.2
    VENV/bin/python bench/peers/training_step.py --peer PEER --model MODEL_DIR --gguf MODEL.gguf

Three trainings, float32 on the processor, --batch forget and as many retain items of TOFU a step:
npo_full (all weights), npo_lora (LoRA r 8, alpha 16, all linear layers) and loku (inverted hinge, the
same LoRA). The peer's side is its data sets, collator and NPO trainer's compute_loss (commit d3d7cf9)
on transformers' model, with AdamW in its fastest form (fused), which its settings do not choose. Its
reference is a copy of the model for npo_full, as in its trainer, and the model with its adapter
disabled for npo_lora, which is cheaper than the copy it makes. It has no LoKU: that is inverted hinge
loss (arXiv 2408.06621, eq. 5) in plain PyTorch beside its retain term. Left out: what its Trainer
does around a step (in its favour), and FILA, which no step holds but expunge's peak memory does.

A step has the same items on both sides: expunge's draws are made again here (see draws()). Retain
items come from the first 16 * batch rows, by a seed for which no item comes twice in a step: expunge
would compute it once, which hardly ever happens in a real run but always does among 4 rows.
A round is a process each; its first step is left out on both sides and told apart: there expunge
computes the reference's log-probabilities, which it then keeps, as it does from the second epoch of
any training on. The peer computes them at every step. Peak memory is that of the process until training ends; for
expunge also of the whole process, with the look at the answers and the journal that come after it.

"check" is a process of its own, not timed: the peer's loss of the first step, before any update, as
it is timed and again with expunge's conventions, which are to agree within 1e-4. They differ in that
the peer masks every token that equals its padding, so each end of turn, and learns two tokens more
an item ("\\n" and one more end). NPO's own term is then 2/beta log 2 whatever the model says, so that
the retain term is compared alone too, and for npo_full the gradient's norm.
The last line of output is JSON: medians over steps and rounds, ratios, parts of the peer's step.
"""
import argparse
import importlib.metadata
import itertools
import json
import math
import os
import statistics
import sys
import tempfile
import time

import open_unlearning as peer_bench

ROWS = {"npo_full": ("npo", 0), "npo_lora": ("npo", 8), "loku": ("loku", 8)}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BETA, WORD = 0.1, 2**64 - 1


def mt19937_64(seed):
    """C++'s std::mt19937_64."""
    state = [seed & WORD]
    for i in range(1, 312):
        state.append((6364136223846793005 * (state[-1] ^ state[-1] >> 62) + i) & WORD)
    while True:
        for i in range(312):
            x = state[i] & ~0x7FFFFFFF | state[(i + 1) % 312] & 0x7FFFFFFF
            state[i] = x = state[(i + 156) % 312] ^ x >> 1 ^ (0xB5026F5AA96619E9 if x & 1 else 0)
            x ^= x >> 29 & 0x5555555555555555
            x ^= x << 17 & 0x71D67FFFEDA60000
            x ^= x << 37 & 0xFFF7EEE000000000
            yield x ^ x >> 43


def draws(seed, step, batch):
    """Forget and retain rows of a step that is an epoch: choose() in src/unlearn/train.cc."""
    rng = mt19937_64(seed * 0x9E3779B97F4A7C15 + step)
    order = list(range(batch))
    for i in range(batch, 1, -1):
        j = next(rng) % i
        order[i - 1], order[j] = order[j], order[i - 1]
    return order, [next(rng) % (16 * batch) for _ in order]


def seed_of(args):
    return next(seed for seed in itertools.count(1) if all(
        len(set(draws(seed, step, args.batch)[1])) == args.batch for step in range(args.steps)))


def batches(args, steps, as_expunge=False):
    """Batches of the first steps, by the peer's data sets and collator; tokens, and with padding."""
    from data.collators import DataCollatorForSupervisedDataset
    from data.qa import QADataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    forget, retain = ([data[i] for i in range(len(data))] for data in (
        QADataset({"path": "json", "data_files": os.path.join(args.data, name + ".json"), "split": f"train[:{n}]"},
                  {"apply_chat_template": True}, tokenizer)
        for name, n in (("forget10", args.batch), ("retain90", 16 * args.batch))))
    if as_expunge:  # without "\n" and the end that the peer appends
        for item in forget + retain:
            item["input_ids"], item["labels"] = item["input_ids"][:-2], item["labels"][:-2]
    result, tokens, padded = [], 0, 0
    for pairs in (list(zip(*draws(args.seed, step, args.batch))) for step in range(steps)):
        items = [{"forget": forget[f], "retain": retain[r]} for f, r in pairs]
        result.append(DataCollatorForSupervisedDataset(tokenizer)(items))
        for kind, batch in result[-1].items():
            lengths = [len(item[kind]["input_ids"]) for item in items]
            tokens, padded = tokens + sum(lengths), padded + batch["input_ids"].numel()
            if as_expunge:
                for row, length in enumerate(lengths):
                    batch["attention_mask"][row, :length] = True
    return result, {"tokens": tokens / steps, "padded": padded / steps}


def peer_trainer(args, row, folder):
    """-> the peer's trainer of a row; seconds that its reference took, in a list."""
    import torch
    import trainer.utils
    from trainer.unlearn.grad_diff import GradDiff
    from trainer.unlearn.npo import NPO
    from transformers import AutoModelForCausalLM, TrainingArguments

    method, rank = ROWS[row]
    model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32)
    reference_s, batch_nll = [0.0], trainer.utils.compute_batch_nll

    def timed_nll(model, inputs):
        started = time.perf_counter()
        result = batch_nll(model, inputs)
        if not torch.is_grad_enabled():
            reference_s[0] += time.perf_counter() - started
        return result

    class WithoutAdapter(NPO):
        def _prepare_ref_model(self, model):
            def reference(**inputs):
                with model.disable_adapter():
                    return model(**inputs)
            return reference

    class LoKU(GradDiff):
        def compute_loss(self, model, inputs, return_outputs=False):
            """Mean over answer tokens of 1 + p(y) - max over v != y of p(v), and the retain term."""
            logits, labels = model(**inputs["forget"]).logits[:, :-1], inputs["forget"]["labels"][:, 1:]
            p, y = logits[labels != -100].softmax(-1), labels[labels != -100].unsqueeze(-1)
            hinge = 1 + p.gather(-1, y) - p.scatter(-1, y, -torch.inf).max(-1, keepdim=True).values
            return hinge.mean() + self.compute_retain_loss(model, inputs["retain"])

    trainer.utils.compute_batch_nll = timed_nll
    if rank:
        import peft
        torch.manual_seed(0)
        model = peft.get_peft_model(model, peft.LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=LINEAR, lora_dropout=0, task_type="CAUSAL_LM"))
    kind = LoKU if method == "loku" else WithoutAdapter if rank else NPO
    options = {"model": model, "args": TrainingArguments(folder, use_cpu=True, report_to="none")}
    return kind(**options, **({} if kind is LoKU else {"beta": BETA})), reference_s


def measure_peer(args, folder):
    """In a child: the steps."""
    import torch
    trainer, reference_s = peer_trainer(args, args.row, folder)
    model = trainer.model.train()
    steps, counts = batches(args, args.steps)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=args.lr, fused=True)
    parts = {name: [] for name in ("reference", "forward", "backward", "optimiser")}
    losses = []
    for inputs in steps:
        reference_s[0], marks = 0.0, [time.perf_counter()]
        loss = trainer.compute_loss(model, inputs)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimiser.step()
        optimiser.zero_grad()
        marks.append(time.perf_counter())
        losses.append(loss.item())
        forward, backward, update = (end - begin for begin, end in zip(marks, marks[1:]))
        for name, seconds in zip(parts, (reference_s[0], forward - reference_s[0], backward, update)):
            parts[name].append(seconds)
    return {"parts": parts, "losses": losses, **counts, "threads": torch.get_num_threads(),
            "versions": {**peer_bench.versions(), "peft": importlib.metadata.version("peft")}}


def check_peer(args, folder):
    """In a child: the first step's loss, both ways, and the gradient's norm."""
    import torch
    trainer, _ = peer_trainer(args, args.row, folder)
    result = {}
    for name, as_expunge in (("as_timed", False), ("as_expunge", True)):
        (inputs,), counts = batches(args, 1, as_expunge)
        loss = trainer.compute_loss(trainer.model, inputs)
        trainer.model.zero_grad()
        loss.backward()
        norm = torch.stack([p.grad.double().norm() for p in trainer.model.parameters() if p.grad is not None]).norm()
        result[name] = {"loss": loss.item(), "gradient_norm": norm.item(), **counts}
    return result


def child(args):
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                      CUDA_VISIBLE_DEVICES="")
    sys.path[0] = os.path.join(os.path.abspath(args.peer), "src")
    stubs = peer_bench.stand_in()
    with tempfile.TemporaryDirectory(prefix="expunge-peer-") as folder:
        os.environ["HF_HOME"] = folder
        result = check_peer(args, folder) if args.check else {**measure_peer(args, folder), "stood_in_for": stubs}
    print(json.dumps(result))


def run_peer(args, row, peer, *more):
    stdout, _, peak = peer_bench.run(
        [sys.executable, os.path.abspath(__file__), "--row", row, "--peer", peer, "--model", args.model, "--gguf",
         args.gguf, "--data", args.data, "--batch", str(args.batch), "--steps", str(args.steps), "--lr",
         str(args.lr), "--seed", str(args.seed), *more], args.threads)
    return {**json.loads(stdout.splitlines()[-1]), "peak_bytes": peak}


def run_expunge(args, row):
    method, rank = ROWS[row]
    with tempfile.TemporaryDirectory(prefix="expunge-bench-") as folder:
        os.environ["EXPUNGE_HOME"] = os.path.join(folder, "home")
        for name, n in (("forget10", args.batch), ("retain90", 16 * args.batch)):
            with open(os.path.join(args.data, name + ".json"), "rb") as all_rows, \
                    open(os.path.join(folder, name + ".json"), "wb") as some:
                some.writelines(itertools.islice(all_rows, n))
        out, options = os.path.join(folder, "out"), []
        for knob in ("warmup=0", "schedule=constant", "modules=all", f"alpha={2 * rank}", "retain_weight=1",
                     *([f"beta={BETA}"] if method == "npo" else [])):
            options += ["--knob", knob]
        _, _, peak = peer_bench.run(
            [args.expunge, "unlearn", args.gguf, "--method", method, "--data", folder, "--forget", "forget10",
             "--retain", "retain90", "--batch", str(args.batch), "--epochs", str(args.steps), "--lr", str(args.lr),
             "--lora", str(rank), "--seed", str(args.seed), *options, "--out", out, "--threads", str(args.threads),
             "--quiet"], args.threads)
        with open(os.path.join(out, "run.json"), encoding="utf-8") as file:
            record = json.load(file)
    if len(record["losses"]) != args.steps:
        sys.exit(f"{len(record['losses'])} steps instead of {args.steps}")
    return {"seconds": record["step_seconds"], "losses": record["losses"], "process_peak_bytes": peak,
            "peak_bytes": record["peak_memory_gb"] * 1e9,
            "gradient_norm": record["gradient_norms"][0]}


def figures(runs):
    return {"step_s": statistics.median(s for run in runs for s in run["seconds"][1:]),
            "first_step_s": statistics.median(run["seconds"][0] for run in runs),
            "peak_bytes": statistics.median(run["peak_bytes"] for run in runs), "losses": runs[0]["losses"]}


def differences(row, ours, check):
    """Relative, of the first step: expunge and the peer with expunge's conventions."""
    def relative(a, b):
        return abs(a - b) / abs(b)

    theirs, loss = check["as_expunge"], ours["losses"][0]
    result = {"first_loss": relative(loss, theirs["loss"])}
    if ROWS[row][0] == "npo":
        start = 2 / BETA * math.log(2)
        result["retain_term"] = relative(loss - start, theirs["loss"] - start)
    if max(result.values()) > 1e-4:
        print(f"{row}: the first losses differ: {result}", file=sys.stderr)
    if row == "npo_full":  # adapters begin at random
        result["gradient_norm"] = relative(ours["gradient_norm"], theirs["gradient_norm"])
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="open-unlearning: a checkout or a git directory")
    parser.add_argument("--model", required=True, help="the model as a float32 Hugging Face folder")
    parser.add_argument("--gguf", required=True, help="the same model as expunge reads it")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data", default=peer_bench.DATA, help="folder of the TOFU data sets")
    parser.add_argument("--expunge", default=os.path.join(peer_bench.ROOT, "build/release/expunge"))
    parser.add_argument("--row", help=argparse.SUPPRESS)  # these in a child
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        child(args)
        return
    if args.steps < 2:
        parser.error("--steps: the first is left out")
    args.seed = seed_of(args)
    result = {"batch": f"{args.batch} + {args.batch}", "threads": args.threads, "rounds": args.rounds,
              "steps": args.steps, "seed": args.seed, "processor": peer_bench.processor()}
    with peer_bench.peer_tree(args.peer) as (peer, commit):
        result["commit"] = commit
        for row in args.rows.split(","):
            ours, theirs = [], []
            for number in range(args.rounds):
                print(f"{row}, round {number + 1} of {args.rounds}", file=sys.stderr)
                theirs.append(run_peer(args, row, peer))
                theirs[-1]["seconds"] = [sum(step) for step in zip(*theirs[-1]["parts"].values())]
                ours.append(run_expunge(args, row))
            check = run_peer(args, row, peer, "--check")
            one = {"expunge": figures(ours), "peer": figures(theirs)}
            one["expunge"]["process_peak_bytes"] = statistics.median(run["process_peak_bytes"] for run in ours)
            one["peer"].update({key: theirs[0][key] for key in ("tokens", "padded", "threads")})
            one["peer"]["parts_s"] = {name: statistics.median(s for run in theirs for s in run["parts"][name][1:])
                                      for name in theirs[0]["parts"]}
            one["ratio"] = {"time": one["peer"]["step_s"] / one["expunge"]["step_s"],
                            "time_first_step": one["peer"]["step_s"] / one["expunge"]["first_step_s"],
                            "memory": one["expunge"]["peak_bytes"] / one["peer"]["peak_bytes"],
                            "memory_process": one["expunge"]["process_peak_bytes"] / one["peer"]["peak_bytes"]}
            one["check"] = {key: check[key] for key in ("as_timed", "as_expunge")}
            one["difference"] = differences(row, ours[0], check)
            result[row] = one
            result["versions"], result["stood_in_for"] = theirs[0]["versions"], theirs[0]["stood_in_for"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
