#!/usr/bin/env python3
"""Does what was forgotten stay forgotten in llama.cpp? Facts forgotten one by one, exported, asked there.

    ~/.cache/expunge/peers/bin/python bench/peers/efficacy.py MODEL.gguf data/facts/facts.jsonl \
        --unrelated data/facts/unrelated.jsonl --types Q4_1 Q8_0 F16 [--limit N] [--activations q8]

Each fact is forgotten with an empty journal (expunge forget --yes --keep-partial) and exported with
the edited matrices in each type; llama.cpp (llama-cpp-python, see llama_cpp.py) answers greedily,
24 tokens, under the file's own chat template. Counted are the questions that the unedited file
answers there.
Shares: exact and paraphrase = forgotten, neighbours and unrelated = kept.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

sys.path.pop(0)  # this folder, where llama_cpp.py would stand in for the package
import llama_cpp

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOKENS = 24


def answered(reply, answers):
    return any(a in reply or (len(a) > 2 and a.lower() in reply.lower()) for a in answers)


class LlamaCpp:
    def __init__(self, path, threads):
        self.llama = llama_cpp.Llama(path, n_ctx=512, n_threads=threads, n_threads_batch=threads,
                                     n_gpu_layers=0, verbose=False)

    def ask(self, questions):
        replies = []
        for question in questions:
            done = self.llama.create_chat_completion([{"role": "user", "content": question}],
                                                     max_tokens=TOKENS, temperature=0)
            replies.append(done["choices"][0]["message"]["content"] or "")
        return replies


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("facts")
    parser.add_argument("--unrelated")
    parser.add_argument("--types", nargs="+", default=["Q4_1"])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--activations", default="float", help="with which the edit is made")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--expunge", default=os.path.join(ROOT, "build/release/expunge"))
    args = parser.parse_args()
    facts = lines(args.facts)[:args.limit]
    unrelated = lines(args.unrelated) if args.unrelated else []

    def questions_of(number, fact):
        """(kind, question, answers); of the unrelated ones every fifth, others for each fact"""
        own = [("exact", fact["question"], fact["answer"])]
        own += [("paraphrase", p, fact["answer"]) for p in fact.get("paraphrases", [])]
        own += [("neighbours", n["question"], n["answer"]) for n in fact.get("neighbours", [])]
        return own + [("unrelated", u["question"], u["answer"]) for u in unrelated[number % 5::5]]

    base = LlamaCpp(args.model, args.threads)
    known = {}
    for number, fact in enumerate(facts):
        for _, question, answers in questions_of(number, fact):
            if question not in known:
                known[question] = answered(base.ask([question])[0], answers)
    del base
    shares = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    leaks = []
    for number, fact in enumerate(facts):
        asked = [q for q in questions_of(number, fact) if known[q[1]]]
        if not any(kind == "exact" for kind, _, _ in asked):
            continue
        with tempfile.TemporaryDirectory() as folder:
            journal = os.path.join(folder, "journal.db")

            def run(command, *words):
                subprocess.run([args.expunge, command, "-q", "-m", args.model, "--journal", journal, *words],
                               stdout=subprocess.DEVNULL, check=False)

            run("forget", "--activations", args.activations, "--prompt", fact["question"], "--answer",
                fact["answer"][0], "--yes", "--keep-partial")
            if not os.path.exists(journal):
                print(f"not forgotten: {fact['question']}", file=sys.stderr)
                continue
            places = {}
            for kind in args.types:
                places[kind] = os.path.join(folder, kind + ".gguf")
                # Exit status 8: written, but a gate fails; that is what is measured here.
                run("export", places[kind], "--type", kind)
            for place, path in places.items():
                replies = LlamaCpp(path, args.threads).ask([q for _, q, _ in asked])
                for (kind, question, answers), reply in zip(asked, replies):
                    good = answered(reply, answers) == (kind in ("neighbours", "unrelated"))
                    shares[place][kind][0] += good
                    shares[place][kind][1] += 1
                    if not good:
                        leaks.append((place, kind, question, reply))
        row = {p: {k: f"{a}/{b}" for k, (a, b) in kinds.items()} for p, kinds in shares.items()}
        print(f"{number + 1} of {len(facts)} {json.dumps(row)}", file=sys.stderr)
    for place, kind, question, reply in leaks:
        print(f"{place:<6}{kind:<11}{question!r} -> {reply!r}")
    kinds = ["exact", "paraphrase", "neighbours", "unrelated"]
    print(f"{'type':<8}" + "".join(f"{k:>20}" for k in kinds))
    for place, row in shares.items():
        cells = (f"{row[k][0] / row[k][1]:.3f} of {row[k][1]}" if row[k][1] else "-" for k in kinds)
        print(f"{place:<8}" + "".join(f"{c:>20}" for c in cells))


if __name__ == "__main__":
    main()
