#!/usr/bin/env python3
"""expunge and open-unlearning: one training step, split into its parts, in turn.

    set up as for open_unlearning.py, and: VENV/bin/pip install peft==0.13.2
    VENV/bin/python bench/peers/training_step.py --peer PEER --model MODEL_DIR --gguf MODEL.gguf

Three trainings, float32 on the processor, --batch forget and as many retain items of TOFU a step:
npo_full (all weights), npo_lora (LoRA r 8, all linear layers) and loku (inverted hinge, the same
LoRA). The peer's side uses its data sets, collator and losses (commit d3d7cf9), transformers' model,
and AdamW in its fastest form (fused), which its own settings do not choose; its reference is a copy
of the model for npo_full as in its NPO trainer, and the model without its adapter for npo_lora, which
is cheaper than what it does. It has no LoKU: inverted hinge loss (arXiv 2408.06621, eq. 5) in plain
PyTorch on the same inputs. What its Trainer does around a step is left out, in its favour.
A round is a process each; its first step is left out on both sides and told apart: there expunge
computes the reference's log-probabilities, which it then keeps, as it does from the second epoch of
any training on. The peer computes them at every step.
The last line of output is JSON: medians over steps and rounds, ratios, parts of the peer's step.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time

import open_unlearning as peer_bench

ROWS = {"npo_full": ("npo", 0), "npo_lora": ("npo", 8), "loku": ("loku", 8)}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BETA = 0.1


def batches(args):
    """One batch of the forget set and one of the retain set, by the peer's data sets and collator."""
    from data.collators import DataCollatorForSupervisedDataset
    from data.qa import QADataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    both = []
    for name in ("forget10", "retain90"):
        data = QADataset({"path": "json", "data_files": os.path.join(args.data, name + ".json"),
                          "split": f"train[:{args.batch}]"}, {"apply_chat_template": True}, tokenizer)
        batch = DataCollatorForSupervisedDataset(tokenizer)([data[i] for i in range(args.batch)])
        both.append({key: batch[key] for key in ("input_ids", "attention_mask", "labels")})
    return both


def inverted_hinge(logits, labels):
    """Mean over answer tokens of 1 + p(y) - max over v != y of p(v)."""
    import torch
    answer = labels[:, 1:] != -100
    p = logits[:, :-1][answer].softmax(-1)
    y = labels[:, 1:][answer].unsqueeze(-1)
    own = p.gather(-1, y).squeeze(-1)
    return (1 + own - p.scatter(-1, y, -torch.inf).max(-1).values).mean()


def measure_peer(args):
    """In a child: the steps; prints JSON."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false",
                      CUDA_VISIBLE_DEVICES="")
    sys.path[0] = os.path.join(os.path.abspath(args.peer), "src")
    import copy

    import torch
    import torch.nn.functional as F
    from transformers import AutoModelForCausalLM

    stubs = peer_bench.stand_in()
    from trainer.utils import compute_batch_nll

    method, rank = ROWS[args.row]
    model = AutoModelForCausalLM.from_pretrained(args.model, torch_dtype=torch.float32)
    forget, retain = batches(args)
    reference = None
    if rank:
        import peft
        model = peft.get_peft_model(model, peft.LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=LINEAR, lora_dropout=0, task_type="CAUSAL_LM"))
    elif method == "npo":
        reference = copy.deepcopy(model).eval()
    model.train()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=args.lr, fused=True)
    parts = {name: [] for name in ("reference", "forward", "backward", "optimiser")}
    losses = []
    for _ in range(args.steps):
        marks = [time.perf_counter()]
        if method == "npo":
            with torch.no_grad():
                if reference is not None:
                    kept, _ = compute_batch_nll(reference, forget)
                else:
                    with model.disable_adapter():
                        kept, _ = compute_batch_nll(model, forget)
        marks.append(time.perf_counter())
        if method == "npo":
            nll, _ = compute_batch_nll(model, forget)
            loss = -2 / BETA * F.logsigmoid(BETA * (nll - kept)).mean()
        else:
            loss = inverted_hinge(model(**forget).logits, forget["labels"])
        loss = loss + model(**retain).loss
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        optimiser.step()
        optimiser.zero_grad()
        marks.append(time.perf_counter())
        losses.append(loss.item())
        for name, begin, end in zip(parts, marks, marks[1:]):
            parts[name].append(end - begin)
    print(json.dumps({"parts": parts, "losses": losses, "stood_in_for": stubs, "versions": peer_bench.versions(),
                      "tokens": int(sum(b["attention_mask"].sum() for b in (forget, retain))),
                      "padded": int(sum(b["input_ids"].numel() for b in (forget, retain)))}))


def measure_expunge(args, row, folder):
    method, rank = ROWS[row]
    os.environ["EXPUNGE_HOME"] = os.path.join(folder, "home")
    out = os.path.join(folder, "out")
    command = [args.expunge, "unlearn", args.gguf, "--method", method, "--data", args.data, "--forget", "forget10",
               "--retain", "retain90", "--limit", str(args.batch), "--batch", str(args.batch), "--epochs",
               str(args.steps), "--lr", str(args.lr), "--lora", str(rank), "--knob", "warmup=0", "--knob",
               "schedule=constant", "--out", out, "--threads", str(args.threads), "--quiet"]
    peer_bench.run(command, args.threads)
    with open(os.path.join(out, "run.json"), encoding="utf-8") as file:
        record = json.load(file)
    return {"seconds": record["step_seconds"], "losses": record["losses"],
            "peak_bytes": record["peak_memory_gb"] * 1e9}


def figures(runs):
    return {"step_s": statistics.median(s for run in runs for s in run["seconds"][1:]),
            "first_step_s": statistics.median(run["seconds"][0] for run in runs),
            "peak_bytes": statistics.median(run["peak_bytes"] for run in runs), "first_loss": runs[0]["losses"][0]}


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
    parser.add_argument("--row", help=argparse.SUPPRESS)  # in a child
    args = parser.parse_args()
    if args.row:
        measure_peer(args)
        return
    result = {"batch": f"{args.batch} + {args.batch}", "threads": args.threads, "rounds": args.rounds,
              "processor": peer_bench.processor()}
    with peer_bench.peer_tree(args.peer) as (peer, commit):
        result["commit"] = commit
        for row in args.rows.split(","):
            ours, theirs = [], []
            for number in range(args.rounds):
                print(f"{row}, round {number + 1} of {args.rounds}", file=sys.stderr)
                stdout, _, peak = peer_bench.run(
                    [sys.executable, os.path.abspath(__file__), "--row", row, "--peer", peer, "--model", args.model,
                     "--gguf", args.gguf, "--data", args.data, "--batch", str(args.batch), "--steps",
                     str(args.steps), "--lr", str(args.lr)], args.threads)
                child = json.loads(stdout.splitlines()[-1])
                child["seconds"] = [sum(step) for step in zip(*child["parts"].values())]
                theirs.append({**child, "peak_bytes": peak})
                with tempfile.TemporaryDirectory(prefix="expunge-bench-") as folder:
                    ours.append(measure_expunge(args, row, folder))
            one = {"expunge": figures(ours), "peer": figures(theirs)}
            one["peer"]["parts_s"] = {name: statistics.median(s for run in theirs for s in run["parts"][name][1:])
                                      for name in theirs[0]["parts"]}
            one["peer"].update({key: theirs[0][key] for key in ("tokens", "padded")})
            one["ratio"] = {"time": one["peer"]["step_s"] / one["expunge"]["step_s"],
                            "memory": one["expunge"]["peak_bytes"] / one["peer"]["peak_bytes"]}
            result[row] = one
            result["versions"], result["stood_in_for"] = theirs[0]["versions"], theirs[0]["stood_in_for"]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
