#!/usr/bin/env python3
"""MMLU's accuracy as lm-evaluation-harness measures it over HTTP, beside `expunge eval --suite mcq`.

    python3 -m venv V && V/bin/pip install 'lm-eval[api]==0.4.13' transformers
    V/bin/python tests/peers/lm_eval.py build/release/expunge MMLU_TEST_FOLDER TOKENIZER_FOLDER [--limit 20]

The harness' `local-completions` scores the letters of the same items through `expunge serve`
(/v1/completions with echo and logprobs); the chosen letter of every item must be the same.
MMLU_TEST_FOLDER has SUBJECT_test.csv files, TOKENIZER_FOLDER the model's tokenizer.json.
"""
import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SUBJECTS = ("anatomy", "astronomy", "business_ethics", "abstract_algebra")
TASK = """task: expunge_{subject}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
description: "The following are multiple choice questions (with answers) about {name}.\\n\\n"
doc_to_text: "{{{{question.strip()}}}}\\nA. {{{{choices[0]}}}}\\nB. {{{{choices[1]}}}}\\nC. {{{{choices[2]}}}}\\nD. {{{{choices[3]}}}}\\nAnswer:"
doc_to_choice: ["A", "B", "C", "D"]
doc_to_target: answer
metric_list:
  - metric: acc
"""


def write_tasks(folder, source, limit):
    for subject in SUBJECTS:
        with open(source / f"{subject}_test.csv", encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))[:limit]
        data = folder / f"{subject}.jsonl"
        data.write_text("".join(json.dumps({"question": r["question"], "answer": int(r["answer"]),
                                            "choices": [r[f"choice{i}"] for i in range(4)]}) + "\n" for r in rows))
        (folder / f"{subject}.yaml").write_text(
            TASK.format(subject=subject, name=subject.replace("_", " "), data=data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("mmlu", type=Path)
    parser.add_argument("tokenizer")
    parser.add_argument("--limit", type=int, default=20)
    args = parser.parse_args()
    program = str(Path(args.program).resolve())
    with tempfile.TemporaryDirectory(prefix="expunge-lm-eval-") as name:
        folder = Path(name)
        write_tasks(folder, args.mmlu, args.limit)
        environment = dict(os.environ, EXPUNGE_HOME=name, HF_HUB_OFFLINE="1", HF_DATASETS_CACHE=f"{name}/cache",
                           TOKENIZERS_PARALLELISM="false")
        server = subprocess.Popen([program, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment)
        try:
            url = server.stdout.readline().split()[0]
            subprocess.run(
                [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args",
                 f"model=default,base_url={url}/v1/completions,num_concurrent=4,tokenizer_backend=huggingface,"
                 f"tokenizer={args.tokenizer},max_length=2048", "--tasks",
                 ",".join(f"expunge_{s}" for s in SUBJECTS), "--include_path", name, "--output_path", f"{name}/out",
                 "--log_samples"], check=True, env=environment, stdout=subprocess.DEVNULL)
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
        theirs = {}
        for path in folder.glob("out/**/samples_expunge_*.jsonl"):
            subject = path.name.removeprefix("samples_expunge_").rsplit("_20", 1)[0]
            samples = [json.loads(line) for line in path.read_text().splitlines()]
            samples.sort(key=lambda s: s["doc_id"])
            theirs[subject] = [max(range(4), key=lambda i: float(s["filtered_resps"][i][0])) for s in samples]
        chosen = same = 0
        for subject in SUBJECTS:
            done = subprocess.run([program, "eval", "--suite", "mcq", "--data", str(args.mmlu / f"{subject}_test.csv"),
                                   "--limit", str(args.limit), "--out", f"{name}/{subject}", "--json"], check=True,
                                  env=environment, capture_output=True, text=True)
            records = json.loads(Path(name, subject, "evaluation.json").read_text())["records"]
            ours = [row["chosen"] for rows in records.values() for row in rows.values()]
            equal = sum(a == b for a, b in zip(ours, theirs[subject]))
            acc = json.loads(done.stdout)["summary"]["acc"]
            print(f"{subject}: {equal} of {len(ours)} letters are the same; accuracy of the suite {acc:.3f}")
            chosen, same = chosen + len(ours), same + equal
        print(f"{same} of {chosen} letters are the same")
        sys.exit(same != chosen)


if __name__ == "__main__":
    main()
