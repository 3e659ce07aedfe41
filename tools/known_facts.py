#!/usr/bin/env python3
"""Which facts of a file a model knows: asks it, and writes those that it answers.

  tools/known_facts.py EXPUNGE MODEL FACTS.jsonl OUT.jsonl     facts as in data/facts/facts.jsonl, or
                                                              questions as in data/facts/unrelated.jsonl
A fact is kept if its question is answered; of its paraphrases, neighbours and other questions, those
that are answered. A measure of an edit says nothing about what the model did not know before.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def reveals(reply, answers):
    """As verify/reveals.h: short answers and symbols as words, in exactly that case."""
    words = "".join(c if c.isalnum() else " " for c in reply).split()
    return any(a in words if len(a) <= 3 else a.lower() in reply.lower() for a in answers)


def ask(expunge, model, questions):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as batch:
        batch.writelines(json.dumps(q) + "\n" for q in questions)
        batch.flush()
        done = subprocess.run(
            [expunge, "generate", "-q", "-m", model, "--no-edits", "--batch", batch.name,
             "--max-tokens", "30", "--json"], check=True, capture_output=True, text=True)
    replies = json.loads(done.stdout)["items"]
    return dict(zip(questions, (r["text"] for r in replies)))


def main():
    expunge, model, source, out = sys.argv[1:5]
    facts = [json.loads(line) for line in Path(source).read_text().splitlines() if line.strip()]
    questions = []
    for fact in facts:
        questions.append(fact["question"])
        questions += fact.get("paraphrases", [])
        for key in ("neighbours", "neighbours_for_retain", "same_subject"):
            questions += [n["question"] for n in fact.get(key, [])]
    replies = ask(expunge, model, list(dict.fromkeys(questions)))
    kept = []
    for fact in facts:
        if not reveals(replies[fact["question"]], fact["answer"]):
            continue
        if "base_reply" in fact:
            fact["base_reply"] = replies[fact["question"]].strip()
        if "paraphrases" in fact:
            fact["paraphrases"] = [q for q in fact["paraphrases"]
                                   if reveals(replies[q], fact["answer"])]
        for key in ("neighbours", "neighbours_for_retain", "same_subject"):
            if key in fact:
                fact[key] = [n for n in fact[key] if reveals(replies[n["question"]], n["answer"])]
        kept.append(fact)
    Path(out).write_text("".join(json.dumps(f, ensure_ascii=False) + "\n" for f in kept))
    print(f"{len(kept)} of {len(facts)} are known")


if __name__ == "__main__":
    main()
