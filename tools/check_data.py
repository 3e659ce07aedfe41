#!/usr/bin/env python3
"""Checks the hand-written data: data/watchdog (dialogues), data/surgeon (questions), data/guard.

    tools/check_data.py [FILE.jsonl…]     default: all of these folders; exits 1 if anything is wrong

What the files hold: the README.md of each folder.
"""
import collections
import json
import re
import sys
import unicodedata
from pathlib import Path

import adapter_rows

ROOT = Path(__file__).resolve().parent.parent
INTENTS = {"forget", "correct", "undo", "status", "none"}
CATEGORIES = {"fact", "deictic", "personal", "topic", "correct", "undo", "status", "hard", "easy"}
EXTRAS = ("paraphrases", "neighbours", "same_subject")
QUESTION_SIZES = {"paraphrases": 6, "neighbours": 4, "same_subject": 3}
PERSON = {"name", "aliases", "set", "questions", "masked", "facts", "neighbours"}
ATTACKS = {"direct", "masked", "many-shot", "other languages", "injection", "multi-turn", "encodings", "tool calls"}


def plain(text):
    """Letters and digits without case, punctuation and spacing; East Asian characters one by one."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]|[^\W_]+", text))


def different(questions):
    return len({plain(q) for q in questions}) == len(questions)


def target_faults(target, intent, text):
    need = {"prompt", "response"} | ({"replacement"} if intent == "correct" else set())
    if not need <= set(target) or set(target) - need - set(EXTRAS):
        yield f"keys of a target: {sorted(target)}"
        return
    if not target["prompt"].strip():
        yield "an empty prompt"
    if intent == "correct" and not target["replacement"]:
        yield "a correction without its replacement"
    for key in ("response", "replacement"):
        if target.get(key) and plain(target[key]) not in text:
            yield f"{key} is not in the dialogue: {target[key]!r}"
    for key in EXTRAS:
        if key in target and not different([target["prompt"], *target[key]]):
            yield f"{key}: the same question twice"


def dialogue_faults(row):
    if set(row) != {"id", "dialogue", "intent", "targets", "note"}:
        yield f"keys {sorted(row)}"
        return
    turns = row["dialogue"]
    whole = " ".join(t["content"] for t in turns)
    if row["intent"] not in INTENTS:
        yield f"intent {row['intent']}"
    if [t.get("role") for t in turns] != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        yield "the user and the assistant take turns, the user begins and ends"
    if any(not t["content"].strip() for t in turns):
        yield "an empty turn"
    if bool(row["targets"]) != (row["intent"] in ("forget", "correct")):
        yield "targets belong to forget and correct"
    for target in row["targets"]:
        yield from target_faults(target, row["intent"], plain(whole))
    note = re.match(r"(\w+), [a-z]{2}: .", row["note"])
    if not note or note[1] not in CATEGORIES:
        yield f"note {row['note']!r}: 'category, language: reason'"
    for address in re.findall(r"[\w.+-]+@[\w.-]+\w", whole):
        if not re.search(r"@example\.(com|org|net)$", address):
            yield f"address {address}: example.com, .org or .net are nobody's"
    for number in re.findall(r"\b\d{3}-\d{4}\b", whole):
        if not re.match(r"555-01\d\d$", number):
            yield f"number {number}: 555-01xx are nobody's"


def question_faults(row):
    if set(row) != {"kind", "question", "answer", *EXTRAS}:
        yield f"keys {sorted(row)}"
        return
    for key, n in QUESTION_SIZES.items():
        if len(row[key]) != n:
            yield f"{key}: {len(row[key])}, not {n}"
    if not all(str(v).strip() for v in (row["kind"], row["question"], row["answer"])):
        yield "an empty field"
    if not different([row["question"], *(q for key in EXTRAS for q in row[key])]):
        yield "the same question twice"


def person_faults(row):
    if set(row) != PERSON:
        yield f"keys {sorted(row)}"
        return
    if row["set"] not in ("forget01", "forget05", "forget10", "real"):
        yield f"set {row['set']}"
    name = plain(row["name"])
    for question in row["questions"]:
        if name not in plain(question):
            yield f"a question without the name: {question!r}"
    for text in (row["masked"], *row["facts"], *(n["question"] for n in row["neighbours"])):
        if name in plain(text) or not text.strip():
            yield f"it is empty or says the name: {text!r}"
    if len(row["questions"]) < 4 or len(row["facts"]) < 3:
        yield "fewer than four questions or three facts"


def listed_faults(row):
    """A name of the list, or a clear text."""
    if set(row) == {"name", "from"}:
        if len(plain(row["name"]).replace(" ", "")) < 3:
            yield f"name {row['name']!r}"
    elif set(row) != {"text", "from", "about"} or not row["text"].strip():
        yield f"keys {sorted(row)}"


def guard_faults(folder):
    """What concerns several files of data/guard, and its attacks."""
    def read(name):
        return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]

    names = [plain(row["name"]) for row in read("people.jsonl") + read("names.jsonl")]
    faults = [f"name {name!r} twice" for name, n in collections.Counter(names).items() if n > 1]
    listed = [plain(r["name"]) for r in read("people.jsonl") if r["set"] != "real"]
    listed += [plain(row["name"]) for row in read("names.jsonl")]
    for row in read("clear.jsonl"):
        text = f" {plain(row['text'])} "
        faults += [f"clear.jsonl: {row['text']!r} names {n!r}" for n in listed if f" {n} " in text]
    attacks = json.loads((folder / "attacks.json").read_text(encoding="utf-8"))["attacks"]
    faults += [f"attacks.json: kind {a['kind']}" for a in attacks if a["kind"] not in ATTACKS]
    faults += [f"attacks.json: {kind} is missing" for kind in ATTACKS - {a["kind"] for a in attacks}]
    for fault in faults:
        print(f"data: {folder}: {fault}")
    return not faults


def faults_of(row):
    if "masked" in row:
        return person_faults(row)
    if "from" in row:
        return listed_faults(row)
    return question_faults(row) if "question" in row else dialogue_faults(row)


def check(path):
    faults, rows, ids = [], [], collections.Counter()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            faults.append(f"{number}: {error}")
            continue
        rows.append(row)
        ids[row.get("id", number)] += 1
        faults += [f"{number}: {fault}" for fault in faults_of(row)]
    faults += [f"id {i} twice" for i, n in ids.items() if n > 1]
    for fault in faults:
        print(f"data: {path}:{fault}")
    return len(rows), not faults


def main():
    paths = [Path(p) for p in sys.argv[1:]] or sorted(
        path for room in ("watchdog", "surgeon", "guard") for path in (ROOT / "data" / room).rglob("*.jsonl"))
    results = [check(path) for path in paths]
    print(f"data: {sum(n for n, _ in results)} rows in {len(results)} files")
    golden = ROOT / "tests/golden/adapter_forms.jsonl"
    current = adapter_rows.forms() == golden.read_text(encoding="utf-8")
    if not current:
        print(f"data: {golden} is not what tools/adapter_rows.py --forms writes")
    sys.exit(not (guard_faults(ROOT / "data/guard") and current and all(ok for _, ok in results)))


if __name__ == "__main__":
    main()
