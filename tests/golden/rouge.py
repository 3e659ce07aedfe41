"""ROUGE scores of the rouge-score package and stems of nltk's PorterStemmer -> rouge.golden.

    python rouge.py             scores again the texts and words that rouge.golden contains
    python rouge.py DATA_DIR    chooses them again from DATA_DIR/tofu (questions and answers; MIT) and
                                DATA_DIR/tofu_eval_logs (generations of Phi-1.5 fine-tuned on them)

Each pair is a target and a prediction. `scores` is float64 [pairs, 2, 3, 3]: without and with
stemming; rouge1, rouge2, rougeL; precision, recall, F1.
"""
import json
import random
import re
import struct
import sys
from pathlib import Path

import numpy as np
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

import container

TYPES = ["rouge1", "rouge2", "rougeL"]
N_PAIRS, MAX_CHARS, N_WORDS = 420, 320, 2400
SPECIAL = [
    ("", ""), ("", "a word"), ("a word", ""), ("...", "!?"), ("a", "a"), ("a", "b"), ("a b", "b a"),
    ("the the the the", "the the"), ("the the", "the the the the"), ("a b a b a b", "b a b a"),
    ("one two three four five six", "six five four three two one"), ("x" * 300, "x" * 300),
    ("In 1984 there were 1,234,567 of them.", "in 1984 there were 1234567 of them"),
    ("3.14159 km2", "3 14159 km2"), ("2024-05-11", "11/05/2024"), ("007", "7"),
    ("naïve café Äpfel", "naive cafe apfel"), ("naïve café", "na ve caf"), ("東京タワー", "東京タワー"),
    ("нещо на Български", "нещо"), ("🦙🚀 rocket🚀ship", "rocket ship"), ("e\u0301tude", "e tude"),
    ("\u212aelvin \u212ael\u0130vin", "kelvin kelivin"), ("\u0130stanbul", "i stanbul"),
    ("ﬁre ⅷ ²³ ½", "fire 8 23 12"), ("zero\u200bwidth\u00a0space", "zero width space"),
    ("don't WON'T They're", "dont won't they re"), ("under_score-hyphen", "under score hyphen"),
    ("tab\tnew\nline\r\nend\x00nul", "tab new line end nul"), (" leading  and trailing ", "and"),
    ("studies studying studied study", "study studied studying studies"),
    ("dying lying tying skies innings", "die lie tie sky inning"),
    ("generalization generalizations", "general generally generalize"), ("ing eed ies", "sss ied"),
]
IRREGULAR = """sky skies dying lying tying news innings inning outings outing cannings canning howe
proceed exceed succeed dies died spied flies fly enjoy enjoyment happy feed agreed plastered bled
sing hopping tanned falling hissing fizzed failing filing conflated troubled sized hiding caresses
ponies ties caress cats rational vileli radicalli analogously theology archaeology geology logi
fulli hopefully controll roll adoption irritant rate cease probate yyyy yyyyed syzygy syzygies oed
oing aeiou aing iing 1ing 12ed 2ing3 abc123ing x1y2ational sses ssss eeds bedded ably abli alli
usually finally ally really mississippi ioning sion tion""".split()
STEMS = "relat form hop tr y oat troubl oper sens bl conflat siz fall 9v b1 eo qu hy".split()
SUFFIXES = """ational tional enci anci izer bli abli alli entli eli ousli ization ation ator alism
iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance
ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e ll s es ies sses
ss ed eed ied ing y ying ational""".split()


def choose(data):
    rng = random.Random(5)
    pairs, words = list(SPECIAL), set()
    items = []
    for name in ("full", "real_authors", "world_facts"):
        path = data / "tofu" / f"{name}.json"
        items += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    for item in items:
        words.update(re.findall("[a-z0-9]{3,}", f"{item['question']} {item['answer']}".lower()))
    for item in rng.sample(items, 60):
        pairs.append((item["answer"], item["question"]))
    generated = []
    for path in sorted((data / "tofu_eval_logs").glob("phi_*.json")):
        for section in json.loads(path.read_text(encoding="utf-8")).values():
            generated += [(answer, text) for _, text, answer in section["generated_text"].values()]
    for answer, text in rng.sample(generated, N_PAIRS - len(pairs)):
        pairs.append((answer, text[:MAX_CHARS]))
    words = rng.sample(sorted(words), min(N_WORDS, len(words)))
    words += IRREGULAR + [stem + suffix for stem in STEMS for suffix in SUFFIXES] + SUFFIXES
    return pairs, sorted(set(words))


def stored():
    image = (container.HERE / "rouge.golden").read_bytes()
    size, = struct.unpack_from("<Q", image)
    values = json.loads(image[8:8 + size])["values"]
    return values["pairs"], [line.split(" ")[0] for line in values["stems"].split("\n")]


def main():
    pairs, words = choose(Path(sys.argv[1])) if len(sys.argv) > 1 else stored()
    scores = []
    for use_stemmer in (False, True):
        scorer = rouge_scorer.RougeScorer(TYPES, use_stemmer=use_stemmer)
        scores.append([[list(scorer.score(target, prediction)[kind]) for kind in TYPES]
                       for target, prediction in pairs])
    stemmer = PorterStemmer()
    container.write(
        "rouge", "rouge-score 0.1.2; texts from TOFU (MIT)",
        arrays={"scores": np.array(scores, "<f8").transpose(1, 0, 2, 3)},
        values={"pairs": pairs, "stems": "\n".join(f"{w} {stemmer.stem(w)}" for w in words)})


if __name__ == "__main__":
    main()
