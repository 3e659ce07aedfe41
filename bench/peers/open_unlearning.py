#!/usr/bin/env python3
"""expunge and open-unlearning: the TOFU evaluation of the forget set, whole processes, in turn.

    git clone https://github.com/locuslab/open-unlearning PEER        # figures are of commit d3d7cf9
    python3.11 -m venv VENV
    VENV/bin/pip install torch==2.4.1 transformers==4.45.1 datasets==3.0.1 rouge-score==0.1.2 \\
        accelerate==0.34.2 hydra-core==1.3.8 hydra-colorlog==1.2.0 'numpy<2.3' scipy scikit-learn
    build/release/expunge export MODEL_DIR --format safetensors       # float32, from the same GGUF
    VENV/bin/python bench/peers/open_unlearning.py --peer PEER --model MODEL_DIR --gguf MODEL.gguf

--peer is a checkout or a git directory, of which commit d3d7cf9 is unpacked for the run. Both sides
evaluate the first --items rows of forget10_perturbed: probability of the answer, of the paraphrased
answer and of the five perturbed ones, truth ratio, greedy generation and ROUGE. The peer runs from
its own configuration and code, float32 on the processor; only what cannot be had elsewhere is
changed: see configure(). Modules that it imports but does not call here (deepspeed, lm_eval) are
stood in for where they are not installed, which makes its start faster than it is.
The last line of output is JSON: medians over the rounds, where the peer's time goes, and by how much
the two differ. On a machine that does other work too, read the ratio, not the times.
"""
import argparse
import contextlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(os.path.dirname(ROOT), "shared/data/tofu")
COMMIT = "d3d7cf9"
# The peer's metrics by the names of its files in configs/eval/tofu_metrics.
METRICS = ["forget_Truth_Ratio", "forget_Q_A_Prob", "forget_Q_A_ROUGE"]
PARTS = {"forget_Q_A_Prob": "prob", "forget_Q_A_PARA_Prob": "paraphrased",
         "forget_Q_A_PERT_Prob": "perturbed", "forget_Q_A_ROUGE": "generation"}
STUBS = {"deepspeed": [], "lm_eval": ["simple_evaluate"], "lm_eval.models": [],
         "lm_eval.models.hf_vlms": ["HFLM"], "lm_eval.tasks": ["TaskManager"]}


def expunge_command(args, out):
    """The one place that knows how expunge is asked for the same."""
    return [args.expunge, "eval", args.gguf, "--suite", "tofu", "--data", args.data, "--sets", "forget",
            "--limit", str(args.items), "--parity", "open-unlearning", "--out", out,
            "--threads", str(args.threads), "--json", "--quiet"]


def expunge_items(stdout):
    """Row -> record of the forget set, from what that command prints."""
    return json.loads(stdout)["records"]["forget"]


# The peer, in a process of its own. open_unlearning_golden.py uses these too.


def stand_in():
    """Empty modules for those that the peer imports, does not call here, and that are not there."""
    missing = [name for name in STUBS if importlib.util.find_spec(name.split(".")[0]) is None]
    for name in missing:
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        for attribute in STUBS[name]:
            setattr(module, attribute, None)
        sys.modules[name] = module
    return [name for name in missing if "." not in name]


def configure(peer, model, data, limits, metrics, out):
    """The peer's own configuration of the TOFU evaluation, except for: the model and its template
    (the chat template of its tokenizer, no system prompt given; the processor; float32 and the
    library's own attention, which its configurations for GPUs name otherwise), the folder of data
    sets with how many rows of each, and the metrics asked for."""
    import hydra
    from omegaconf import DictConfig, OmegaConf

    with hydra.initialize_config_dir(os.path.join(os.path.abspath(peer), "configs"), version_base=None):
        config = hydra.compose("eval.yaml", [
            "experiment=eval/tofu/default", "task_name=parity", f"eval.tofu.output_dir={out}",
            f"eval/tofu_metrics@eval.tofu.tofu_metrics=[{','.join(metrics)}]"])
    config.model = OmegaConf.create({
        "model_args": {"pretrained_model_name_or_path": model, "device_map": "cpu"},
        "tokenizer_args": {"pretrained_model_name_or_path": model},
        "template_args": {"apply_chat_template": True}})

    def visit(node):
        for key, value in node.items():
            if key == "hf_args":
                value.path, value.split = os.path.abspath(data), f"train[:{limits[value.name]}]"
            elif isinstance(value, DictConfig):
                visit(value)

    visit(config.eval)
    return config


def evaluate(peer, model, data, limits, metrics, out):
    """-> the log of the peer's evaluation, seconds by part, model, tokenizer, configuration, modules
    stood in for. Rows of a log are keyed by the row's number. What it writes goes to the folder out."""
    os.environ.update(HF_HOME=out, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1",
                      TOKENIZERS_PARALLELISM="false", CUDA_VISIBLE_DEVICES="")
    started = time.perf_counter()
    sys.path[0] = os.path.join(os.path.abspath(peer), "src")  # for this folder, as its eval.py has it
    stubs = stand_in()
    from trainer.utils import seed_everything
    from model import get_model
    from evals import get_evaluators
    from evals.metrics.base import UnlearningMetric

    seconds, measured = {"import": time.perf_counter() - started}, UnlearningMetric.evaluate_metric

    def timed(self, model, metric_name, **kwargs):
        started = time.perf_counter()
        result = measured(self, model, metric_name, **kwargs)
        seconds[metric_name] = time.perf_counter() - started
        return result

    UnlearningMetric.evaluate_metric = timed
    # What its src/eval.py does.
    started = time.perf_counter()
    config = configure(peer, model, data, limits, metrics, out)
    seed_everything(config.seed)
    network, tokenizer = get_model(config.model)
    seconds["load"] = time.perf_counter() - started
    log = {}
    for evaluator in get_evaluators(config.eval).values():
        evaluator.evaluate(model=network, tokenizer=tokenizer, template_args=config.model.template_args)
        with open(evaluator.get_logs_file_path(out)) as file:
            log.update(json.load(file))
    return log, seconds, network, tokenizer, config, stubs


def versions():
    names = ("torch", "transformers", "tokenizers", "datasets", "rouge-score", "numpy", "scipy")
    return {name: importlib.metadata.version(name) for name in names}


def measure_peer(args):
    """In a child: the evaluation; prints JSON."""
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory(prefix="expunge-peer-") as out:
        log, seconds, *_, stubs = evaluate(args.peer, args.model, args.data,
                                           {"forget10_perturbed": args.items}, METRICS, out)
    import torch
    by_row = {name: metric["value_by_index"] for name, metric in log.items()}
    items = {}
    for row, answer in by_row["forget_Q_A_Prob"].items():
        wrong = by_row["forget_Q_A_PERT_Prob"][row]
        items[row] = {**answer, "paraphrased": by_row["forget_Q_A_PARA_Prob"][row],
                      "perturbed": [dict(zip(wrong, values)) for values in zip(*wrong.values())],
                      "truth_ratio": by_row["forget_truth_ratio"][row]["score"], **by_row["forget_Q_A_ROUGE"][row]}
    parts = {PARTS.get(name, name): s for name, s in seconds.items() if name != "forget_truth_ratio"}
    print(json.dumps({"items": items, "parts": parts,
                      "versions": versions(),
                      "stood_in_for": stubs, "threads": torch.get_num_threads()}))


# Both sides.


@contextlib.contextmanager
def peer_tree(path):
    """-> (folder with src/ and configs/, commit)."""
    if os.path.isdir(os.path.join(path, "src")):
        done = subprocess.run(["git", "-C", path, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        own = os.path.exists(os.path.join(path, ".git"))  # else HEAD is that of a folder around it
        yield path, done.stdout.strip() if own and done.returncode == 0 else None
        return
    with tempfile.TemporaryDirectory(prefix="expunge-peer-src-") as folder:
        archive = subprocess.run(["git", "--git-dir", path, "archive", COMMIT], capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", folder], input=archive.stdout, check=True)
        yield folder, COMMIT


def run(command, threads):
    """-> (stdout, wall seconds, peak resident bytes) of a fresh process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    stdout = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit status {process.returncode}: {' '.join(command)}\n{stdout.decode(errors='replace')[-2000:]}")
    return stdout.decode(), seconds, usage.ru_maxrss * 1024


def processor():
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return None


def compare(ours, theirs):
    """By how much the records of the same rows differ; keys are those of expunge's records."""
    if ours.keys() != theirs.keys():
        return {"rows_ours": sorted(ours, key=int), "rows_peer": sorted(theirs, key=int)}
    result = {"rows": len(theirs)}
    for key in ("prob", "avg_loss", "truth_ratio"):
        pairs = [(ours[row][key], record[key]) for row, record in theirs.items()]
        if key != "truth_ratio":
            for row, record in theirs.items():
                pairs += [(a[key], b[key]) for a, b in zip(
                    [ours[row]["paraphrased"], *ours[row]["perturbed"]],
                    [record["paraphrased"], *record["perturbed"]], strict=True)]
        result["max_relative_" + key] = max(abs(a - b) / abs(b) for a, b in pairs)
    for key in ("generation", "rouge1_recall", "rougeL_recall"):
        different = [row for row in theirs if ours[row][key] != theirs[row][key]]
        result["equal_" + key] = len(theirs) - len(different)
        result["different_" + key] = different
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True, help="open-unlearning: a checkout or a git directory")
    parser.add_argument("--model", required=True, help="the model as a float32 Hugging Face folder")
    parser.add_argument("--gguf", help="the same model as expunge reads it")
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default=DATA, help="folder of the TOFU data sets")
    parser.add_argument("--expunge", default=os.path.join(ROOT, "build/release/expunge"))
    parser.add_argument("--peer-only", action="store_true", help="do not run expunge")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        measure_peer(args)
        return
    if not args.gguf and not args.peer_only:
        parser.error("--gguf is needed")

    ours, theirs = [], []
    with peer_tree(args.peer) as (peer, commit):
        for round_number in range(args.rounds):
            print(f"round {round_number + 1} of {args.rounds}", file=sys.stderr)
            stdout, seconds, peak = run(
                [sys.executable, os.path.abspath(__file__), "--child", "--peer", peer, "--model", args.model,
                 "--data", args.data, "--items", str(args.items)], args.threads)
            child = json.loads(stdout.splitlines()[-1])
            child["parts"]["start"] = seconds - sum(child["parts"].values()) + child["parts"].pop("import")
            theirs.append({**child, "wall_s": seconds, "peak_bytes": peak})
            if args.peer_only:
                continue
            with tempfile.TemporaryDirectory(prefix="expunge-bench-") as folder:
                # A home of its own, so that nothing kept from an earlier run is used.
                os.environ["EXPUNGE_HOME"] = os.path.join(folder, "home")
                stdout, seconds, peak = run(expunge_command(args, os.path.join(folder, "out")), args.threads)
            ours.append({"items": expunge_items(stdout), "wall_s": seconds, "peak_bytes": peak})

    def medians(rows):
        return {key: statistics.median(row[key] for row in rows) for key in ("wall_s", "peak_bytes")}

    first = theirs[0]
    result = {"items": args.items, "threads": args.threads, "rounds": args.rounds, "processor": processor(),
              "peer": {"commit": commit, **first["versions"], "stood_in_for": first["stood_in_for"],
                       "threads": first["threads"], **medians(theirs),
                       "parts_s": {part: statistics.median(row["parts"][part] for row in theirs)
                                   for part in first["parts"]}}}
    if ours:
        result["expunge"] = medians(ours)
        result["ratio"] = {"time": result["peer"]["wall_s"] / result["expunge"]["wall_s"],
                           "memory": result["expunge"]["peak_bytes"] / result["peer"]["peak_bytes"]}
        result["difference"] = compare(ours[0]["items"], first["items"])
    print(json.dumps(result))


if __name__ == "__main__":
    main()
