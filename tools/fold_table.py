#!/usr/bin/env python3
"""Writes data/guard/fold.tsv: what a character outside ASCII is read as when names are looked for.

    pip install confusable-homoglyphs && tools/fold_table.py >data/guard/fold.tsv

A line is the first code point, how many there are, and what they are read as, all in hexadecimal:

    4E00 5200 =        letters that stand for themselves
    300 70 -           invisible: marks, joiners, selectors
    1D400 1A 61+       one letter each, counted up: 61, 62, ...
    FB03 1 66,66,69    these letters

What no line names is a separator. Hangul syllables are left to the program (they are arithmetic).
"""
import re
import sys
import unicodedata as ud

from confusable_homoglyphs.confusables import confusables_data

# Latin letters that have no decomposition, and letters of other scripts that are drawn like Latin ones.
READ_AS = dict(zip("αβγδεζηικμνοπρςστυχω", "abydeznikuvonpsotuxw"))
READ_AS |= dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΣΤΥΧ", "abezhikmnopetyx"))
READ_AS |= dict(zip("абвгдезийкмнопрстухцшщъьэя", "abbraeennkmhonpctyxuwwbber"))
READ_AS |= dict(zip("іїјѕԁԛԝҽһӏ", "iijsdqwehl"))
READ_AS |= {c.upper(): r for c, r in list(READ_AS.items()) if "а" <= c <= "ӿ"}
READ_AS |= {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŋ": "n",
            "ə": "e", "ɛ": "e", "ɔ": "o", "ʃ": "s", "ʒ": "z", "ı": "i", "ɑ": "a", "ɪ": "i", "ʟ": "l",
            "ɩ": "i", "ĸ": "k", "ƿ": "p", "ʌ": "v", "ɯ": "m", "ɐ": "a", "ɥ": "h", "ʍ": "w", "ſ": "s",
            "ы": "bi", "Ы": "bi", "ю": "io", "Ю": "io", "ẞ": "ss", "ß": "ss", "ƽ": "5", "ϲ": "c", "Ϲ": "c"}
READ_AS |= {c.upper(): r for c, r in list(READ_AS.items())
            if len(c.upper()) == 1 and ord(c) < 0x300 and c not in "ſßı"}
BRAILLE = dict(zip("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵", "abcdefghijklmnopqrstuvwxyz"))
DROPPED_MARKS = [(0x300, 0x36F), (0x483, 0x489), (0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0x670, 0x670),
                 (0x6D6, 0x6ED), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F)]
# Blank without being a space, and what fonts draw as nothing.
INVISIBLE = {0x34F, 0x640, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F, 0x3164, 0xFFA0,
             0xFFFC}
NAMED = re.compile(r"(?:LATIN|MODIFIER|PARENTHESIZED|CIRCLED|SQUARED|CROSSED|NEGATIVE|REGIONAL|TAG|MATHEMATICAL|"
                   r"FULLWIDTH|SUBSCRIPT|SUPERSCRIPT|COMBINING)\b.*\b(?:LETTER|LETTER SMALL CAPITAL|CAPITAL|SMALL|SYMBOL LETTER)"
                   r"(?: (?:SMALL CAPITAL|CAPITAL|SMALL|TURNED|REVERSED|INVERTED|SIDEWAYS|DOTLESS|LONG|LONG-LEGGED|"
                   r"BARRED|CLOSED|OPEN|INSULAR|BROKEN|STRETCHED|HALF|TOP|BOTTOM|SCRIPT|BLACKLETTER|ANGLICANA|AFRICAN|"
                   r"VISIGOTHIC|MIDDLE-WELSH|FLATTENED|LENIS|STIRRUP|TAILLESS|STRAIGHT))* ([A-Z])(?: WITH .*| ROTUNDA)?$")


def invisible(code):
    char = chr(code)
    return (ud.category(char) == "Cf" or code in INVISIBLE or 0xFE00 <= code <= 0xFE0F
            or 0xE0100 <= code <= 0xE01EF)


def confusable(char):
    """The Latin letter or the digit that it is drawn like, if it is a letter or a symbol of one."""
    if ud.category(char)[0] not in "LN" and ud.category(char) not in ("So", "Sk"):
        return None
    likes = [other["c"] for other in confusables_data.get(char, [])]
    for like in likes:
        if len(like) == 1 and like.isascii() and like.isalnum():
            return like.lower()
    return None


def read(char, depth=0):
    """None: a separator; "": invisible; otherwise letters."""
    code = ord(char)
    if char in READ_AS:
        return READ_AS[char]
    if char in BRAILLE:
        return BRAILLE[char]
    if any(a <= code <= b for a, b in DROPPED_MARKS):
        return ""
    named = NAMED.match(ud.name(char, ""))
    if named and "HEX" not in ud.name(char):
        return named[1].lower()
    if 0xE0020 < code < 0xE007F:  # tags: ASCII that is not drawn
        return read_plain(chr(code - 0xE0000))
    if invisible(code):
        return ""
    if char.isascii():
        return read_plain(char)
    if 0x30A1 <= code <= 0x30F6:  # katakana as hiragana
        return read(chr(code - 0x60), depth)
    digit = ud.decimal(char, None)
    if digit is not None:
        return str(digit)
    parts = ud.normalize("NFKD", char)
    if parts != char and depth < 4:
        read_parts = [read(part, depth + 1) for part in parts]
        return "".join(part for part in read_parts if part) or None
    like = confusable(char)
    if like:
        return like
    folded = char.casefold()
    if folded != char and depth < 4:
        return "".join(read(part, depth + 1) or "" for part in folded)
    return char if ud.category(char) in ("Lu", "Ll", "Lo", "Lm", "Mn", "Mc", "Nl") else None


def read_plain(char):
    return char.lower() if char.isalnum() else char if char in "@$!|+" else None


def rows():
    for code in range(0x80, 0x110000):
        char = chr(code)
        if 0xAC00 <= code <= 0xD7A3 or 0xD800 <= code <= 0xDFFF or 0xE000 <= code <= 0xF8FF:
            continue
        got = read(char)
        if got is not None:
            yield code, got


def runs():
    """(first, count, kind, letters) of neighbours that are read alike."""
    first = count = 0
    kind = letters = None
    for code, got in rows():
        if got == chr(code):
            now = "="
        elif not got:
            now = "-"
        else:
            now = "+" if len(got) == 1 else ","
        goes_on = kind == now and code == first + count and (
            now in "=-" or (now == "+" and ord(got) == ord(letters) + count))
        if not goes_on:
            if count:
                yield first, count, kind, letters
            first, count, kind, letters = code, 0, now, got
        count += 1
    yield first, count, kind, letters


def main():
    for first, count, kind, letters in runs():
        if kind in "=-":
            value = kind
        elif count > 1:
            value = f"{ord(letters):X}+"
        else:
            value = ",".join(f"{ord(letter):X}" for letter in letters)
        print(f"{first:X} {count:X} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
