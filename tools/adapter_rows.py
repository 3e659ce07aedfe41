#!/usr/bin/env python3
"""Writes what the adapter of watchdog and surgeon is trained on, as rows of `expunge finetune`.

    tools/adapter_rows.py OUT.jsonl [--without VOICE,…] [--kinds-without KIND,…] [--share X]

A row is {question, answer}: the prompt and the reply of a role, in the forms of
src/agent/watchdog/form.h and src/agent/surgeon/form.h; tests hold both to
tests/golden/adapter_forms.jsonl, which --forms writes. Every dialogue stands
there as it was written, most a second time as people type, and half of them
once more after turns of another dialogue.
--without, --kinds-without: leaves voices and kinds of fact out, which the result is then judged on.
--share: a part of every voice and kind (0 to 1), for the curve over the size of the data.
The same arguments give the same file.
"""
import argparse
import json
import random
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LATIN = re.compile(r"[A-Za-z]{4,}")


def one_line(text):
    return " ".join(text.split())


def watchdog_prompt(dialogue):
    lines = [f"{turn['role']}: {one_line(turn['content'])}" for turn in dialogue]
    return "watchdog\n" + "\n".join(lines)


def watchdog_reply(item):
    lines = [item["intent"]]
    topic = item["note"].startswith("topic")
    for target in item["targets"]:
        lines.append(f"{'T' if topic else 'Q'} {one_line(target['prompt'])}")
        lines.append(f"A {one_line(target['response']) or '-'}")
        if item["intent"] == "correct":
            lines.append(f"R {one_line(target['replacement'])}")
    return "\n".join(lines)


def surgeon_rows(question, answer, item, ways, rng, others_share=0.5):
    """The replies to one prompt: some wordings, each by its way, neighbours, other questions (which
    the plans need least) of a share of the prompts."""
    prompt = f"surgeon\n{one_line(question)}\n{one_line(answer) or '-'}"
    wordings = list(zip(ways, item["paraphrases"]))
    # Half of the wordings: as many words as the watchdog's.
    replies = [f"{way} {one_line(text)}" for way, text in rng.sample(wordings, len(ways) // 2)]
    lists = [("N", "neighbours")]
    if rng.random() < others_share:
        lists.append(("S", "same_subject"))
    for tag, key in lists:
        replies.append("\n".join(f"{tag} {one_line(text)}" for text in item[key]))
    return [{"question": prompt, "answer": reply} for reply in replies]


# As people type.


def mistyped(text, rng):
    def spoil(match):
        word = match.group()
        if rng.random() > 0.12:
            return word
        i = rng.randrange(1, len(word) - 1)
        how = rng.randrange(3)
        if how == 0:
            return word[:i] + word[i + 1 :]
        if how == 1:
            return word[:i] + word[i] + word[i:]
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]

    return LATIN.sub(spoil, text)


def typed(item, rng):
    """The last message as somebody in a hurry types it; what is copied from it changes with it."""
    item = json.loads(json.dumps(item))
    last = item["dialogue"][-1]
    text = one_line(last["content"])
    before = " ".join(one_line(turn["content"]) for turn in item["dialogue"][:-1])
    copied = [
        target[key]
        for target in item["targets"]
        for key in ("response", "replacement")
        if target.get(key)
    ]
    case = str.upper if rng.random() < 0.1 else str.lower
    if rng.random() < 0.6 and not any(ord(c) > 0x24F and c.isalpha() for c in text):
        for target in item["targets"]:
            for key in ("response", "replacement"):
                value = one_line(target.get(key, ""))
                if value and value not in before and value in text:
                    target[key] = case(value)
        text = case(text)
        if rng.random() < 0.7:
            text = text.rstrip(".!?")
        if rng.random() < 0.5:
            text = text.replace("'", "").replace("’", "")
            for target in item["targets"]:
                for key in ("response", "replacement"):
                    if target.get(key) and one_line(target[key]) not in before:
                        target[key] = target[key].replace("'", "").replace("’", "")
    elif rng.random() < 0.7:
        parts, rest = [], text
        spans = sorted({one_line(c) for c in copied}, key=len, reverse=True)
        pattern = "|".join(re.escape(s) for s in spans if s)
        pieces = re.split(f"({pattern})", rest) if pattern else [rest]
        for piece in pieces:
            parts.append(piece if piece in spans else mistyped(piece, rng))
        text = "".join(parts)
    last["content"] = text
    return item


def language(item):
    match = re.match(r"\w+, ([\w-]+)", item["note"])
    return match.group(1) if match else "en"


def after_others(item, others, rng):
    """The dialogue after turns of another one that ended in an answer."""
    pool = others.get(language(item)) or []
    if not pool or len(item["dialogue"]) > 5:
        return item
    before = rng.choice(pool)
    return {**item, "dialogue": before + item["dialogue"]}


def holds(item):
    """Every answer still stands in the dialogue, word for word."""
    text = "\n".join(one_line(turn["content"]) for turn in item["dialogue"])
    return all(one_line(target["response"]) in text for target in item["targets"])


def read(folder, share):
    for path in sorted((ROOT / folder).glob("*.jsonl")):
        with open(path, encoding="utf-8") as lines:
            items = [json.loads(line) for line in lines]
        yield path.stem, items[: max(1, round(share * len(items)))]


def forms():
    """Lines of every tenth dialogue of the development set, its white space made strange."""
    with open(ROOT / "data/watchdog/dev.jsonl", encoding="utf-8") as lines:
        items = [json.loads(line) for line in lines][::10]
    made = []
    for item in items:
        for turn in item["dialogue"]:
            strange = turn["content"].replace(", ", ",\u00a0\t").replace(". ", ".\u3000\n")
            turn["content"] = strange
        form = {key: item[key] for key in ("dialogue", "intent", "targets")}
        form |= {"prompt": watchdog_prompt(item["dialogue"]), "reply": watchdog_reply(item)}
        for target in item["targets"][:1]:
            lists = {"paraphrases": ["Other?"], "neighbours": ["A?", "B?"], "same_subject": ["C?"]}
            rows = surgeon_rows(target["prompt"], target["response"], lists, "11", random.Random(0), 1)
            form |= {"surgeon": rows[0]["question"], "lists": [row["answer"] for row in rows[1:]]}
        made.append(json.dumps(form, ensure_ascii=False) + "\n")
    return "".join(made)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--without", default="")
    parser.add_argument("--kinds-without", default="")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--forms", action="store_true", help="write the golden file of the forms")
    args = parser.parse_args()
    if args.forms:
        Path(args.out).write_text(forms(), encoding="utf-8")
        return
    rng = random.Random(16)
    voices = set(filter(None, args.without.split(",")))
    kinds = set(filter(None, args.kinds_without.split(",")))

    dialogues = []
    for voice, items in read("data/watchdog/writers", args.share):
        if voice not in voices:
            dialogues += items
    others = {}
    for item in dialogues:
        turns = item["dialogue"]
        if item["intent"] == "none" and len(turns) >= 3:
            others.setdefault(language(item), []).append(turns[:-1])

    groups = []  # rows that stay together: those of one prompt
    for copy, share in (
        (lambda item: item, 1),
        (lambda item: typed(item, rng), 0.7),
        (lambda item: after_others(item, others, rng), 0.5),
    ):
        for item in dialogues:
            made = copy(item) if rng.random() < share else None
            if made is None or (share < 1 and (made is item or not holds(made))):
                continue
            groups.append(
                [{"question": watchdog_prompt(made["dialogue"]), "answer": watchdog_reply(made)}]
            )
    for item in dialogues:
        for target in item["targets"]:
            if {"paraphrases", "neighbours", "same_subject"} <= set(target):
                groups.append(
                    surgeon_rows(target["prompt"], target["response"], target, "1235", rng)
                )
    for _, items in read("data/surgeon/questions", args.share):
        for item in items:
            if item["kind"] not in kinds:
                groups.append(surgeon_rows(item["question"], item["answer"], item, "123456", rng))
    rng.shuffle(groups)
    with open(args.out, "w", encoding="utf-8") as out:
        for group in groups:
            for row in group:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
