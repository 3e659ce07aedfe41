#!/usr/bin/env python3
"""Writes vectors.json: two small SentencePiece BPE vocabularies, texts, and the ids of each text.

"trained" is trained here by the sentencepiece package (0.2.3 when it was run), and the ids are its
own. "ties" is made by hand with equal scores, which training never gives; its ids are those of
`encode` below, the algorithm in its plainest form, which is held to the package on "trained".
"""
import json
import tempfile
from pathlib import Path

import sentencepiece

HERE = Path(__file__).resolve().parent
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
SPACE = "\u2581"
CORPUS = """The lamp stands on the table and the owl sits on the lamp.
A night without wind is a night for the owls: they hear a mouse under the snow.
In 1871 there were 23 lamps in the street, in 1902 there were 417.
def light(lamp):  return lamp.on and not lamp.broken
The owl said nothing, and nothing was what the owl had said.
Les chouettes de la forêt n'aiment pas la lumière; die Eulen auch nicht, über der Straße.
"""
TEXTS = [
    "", " ", "  ", "a", " a", "a ", "the owl", " the owl", "The owls sat on the lamps.",
    "the  owl   said", "\n", "\t", "\r\n", "one\ntwo\n\nthree", "tab\there", "  indented",
    "trailing  ", "1871", "23 417 1902", "3.14159", "def light(lamp): return lamp.on", "owlowlowl",
    "aaaa", "====", "= = =", "nothing, nothing", "forêt", "Straße über", "e\u0301", "東京", "🦙",
    "👩‍👩‍👧‍👦", "مرحبا", "Привет", "\u00a0", "\u3000", "\u0000", "\ufffd", "<s>", "</s>", "<unk>",
    "<0x41>", "[INST] owl [/INST]", SPACE, "a" + SPACE + "b", "LAMP", "Lamp's",
    "https://owl.example/?q=lamp", "the" * 20, " " * 33, "=" * 33, "ab" * 17, "x-=y+=z==w===v====",
]


def encode(pieces, text):
    """Merges the adjacent pair of the highest score, of equal ones the leftmost, while there is one."""
    ids = {piece: i for i, (piece, _, kind) in enumerate(pieces) if kind == NORMAL}
    byte_ids = {piece: i for i, (piece, _, kind) in enumerate(pieces) if kind == BYTE}
    symbols = list((SPACE + text.replace(" ", SPACE)) if text else "")
    while True:
        pairs = [(pieces[ids[a + b]][1], -i) for i, (a, b) in enumerate(zip(symbols, symbols[1:]))
                 if a + b in ids]
        if not pairs:
            break
        at = -max(pairs)[1]
        symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
    found = []
    for symbol in symbols:
        if symbol in ids:
            found.append(ids[symbol])
        else:
            found += [byte_ids[f"<0x{b:02X}>"] for b in symbol.encode()]
    return found


def head():
    return ([["<unk>", 0, UNKNOWN], ["<s>", 0, CONTROL], ["</s>", 0, CONTROL]]
            + [[f"<0x{b:02X}>", 0, BYTE] for b in range(256)])


def trained():
    with tempfile.TemporaryDirectory() as folder:
        corpus, prefix = Path(folder, "corpus"), str(Path(folder, "model"))
        corpus.write_text(CORPUS)
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=prefix, model_type="bpe", vocab_size=460,
            byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
            num_threads=1, split_digits=True, minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
    pieces = []
    for i in range(model.get_piece_size()):
        kind = (UNKNOWN if model.is_unknown(i) else CONTROL if model.is_control(i)
                else BYTE if model.is_byte(i) else NORMAL)
        pieces.append([model.id_to_piece(i), model.get_score(i), kind])
    ids = [model.encode(text) for text in TEXTS]
    for text, expected in zip(TEXTS, ids):
        assert encode(pieces, text) == expected, (text, expected, encode(pieces, text))
    return pieces, ids


def ties():
    scores = {"==": -1, "===": -1, "====": -2, "aa": -3, "aaa": -3, "aaaa": -3, "ab": -4, "ba": -4,
              "aba": -4, SPACE + "a": -4, SPACE + SPACE: -5, SPACE * 3: -5, "th": -6, "he": -6,
              "the": -6, SPACE + "the": -6}
    letters = sorted(set("".join(scores)) | set("owlxyz+-"))
    pieces = head() + [[piece, score, NORMAL] for piece, score in scores.items()]
    pieces += [[letter, -9, NORMAL] for letter in letters]
    return pieces, [encode(pieces, text) for text in TEXTS]


def main():
    sets = {}
    for name, (pieces, ids) in {"trained": trained(), "ties": ties()}.items():
        sets[name] = {"pieces": pieces, "ids": ids}
    # One piece a line would be thousands of lines; one list a line is readable enough.
    lines = ["{", f' "texts": {json.dumps(TEXTS)},']
    for name, content in sets.items():
        pieces = json.dumps(content["pieces"], ensure_ascii=False)
        lines += [f' "{name}": {{', f'  "pieces": {pieces},', f'  "ids": {json.dumps(content["ids"])}',
                  "  }," if name == "trained" else "  }"]
    (HERE / "vectors.json").write_text("\n".join(lines + ["}"]) + "\n")


if __name__ == "__main__":
    main()
