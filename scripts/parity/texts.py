"""Random texts of many scripts for tokenizer.py: texts(seed, n) gives the same ones each time."""

import pathlib
import random
import re
import subprocess
import unicodedata

PIECES = ("a|Hello|the|'s|'ll|'LL|’s|ſ|'ſ|ſs| |  |   |\t|\n|\r\n|\r|\v|\f|\u00a0|\u3000|\u2028|\u2029|\x85|\u1680|\u180e|▁|Ġ|Ċ|1|1234|12345678|٣|Ⅷ|½|①|"
          "㎏|ﬁ|Å|...|…|==|``|é|É|ñ|ß|ǅ|Ǆ|汉字|日本語|ｶﾞ|が|한국|각|각|ทำ|हिन्दी|क्षि|שָׁלוֹם|العربية|ﷺ|\u0301|e\u0301|q\u0323\u0307|Привет|"
          "Ελλάδα|ΣΊΣΥΦΟΣ|İ|ı|🙂|👩‍👩‍👧|🇩🇪|❤️|👍🏽|1️⃣|\u200b|\u200c|\u200d|\u2060|\ufeff|\ufffd|\x00|\x01|\x1b|\x7f|\x8f|€|𝐀|𝟘|𐐀|𞤀|\U000e0041|\U0010ffff|"
          "<s>|</s>|<unk>|<0x41>|[INST]|<sep>|<tool>|func|http://|x_y|camelCase|XMLHttp|don't|I'M|/|\\|//|{|}|~|@@|##|--|$|%").split("|")
WHITE = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2001\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
EMOJI = "🙂😀👍👩👨👧🏽🏿\u200d\ufe0f\u20e3❤🇩🇪🇫🇷🏴\U000e0067\U000e007f#1⌚✊"


def corpus(folder):
    """Lines of Go, and the first 8000 of each .txt, .tsv and .jsonl file of a folder where one is given."""
    lines = []
    for file in sorted(pathlib.Path(folder).iterdir()) if folder else []:
        if file.suffix in (".txt", ".tsv", ".jsonl"):
            lines += file.read_text(errors="replace").split("\n")[:8000]
    goroot = pathlib.Path(subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip())
    for file in sorted(goroot.glob("src/unicode/**/*.go")) + sorted(goroot.glob("src/net/http/*.go")):
        lines += file.read_text(errors="replace").split("\n")
    return [line for line in lines if line]


def marks():
    """All code points that anything of this machine's Unicode calls a mark, and those of blocks with newer ones."""
    known = [c for c in range(0x110000) if unicodedata.category(chr(c)).startswith("M")]
    return known + [c for a, b in ((0x1CF00, 0x1CF50), (0x10D69, 0x10D6E), (0x113B8, 0x113E3), (0x1611E, 0x16130), (0x1E5EE, 0x1E5F0))
                    for c in range(a, b)]


def texts(seed, n, lines):
    """n texts of lines, pieces, blocks of code points, marks, white space, emoji and mixtures."""
    rng = random.Random(seed)
    mark, whole = marks(), "\n".join(lines)
    blocks = [b for b in range(0x11000 // 0x10) if not 0xD8 <= b < 0xE0]  # 256 code points each

    def piece():
        return "".join(rng.choices(PIECES, k=rng.randint(1, 12)))

    def line():
        return rng.choice(lines)

    def slice_():
        at = rng.randrange(len(whole))
        return whole[at:at + rng.randint(1, 120)]

    def block():
        b = rng.choice(blocks if rng.random() < 0.3 else [0, 1, 2, 3, 4, 5, 6, 7, 9, 0xA, 0xB, 0xC, 0xD, 0xE, 0xF, 0x10, 0x11, 0x17, 0x18, 0x1D,
                                                        0x1E, 0x1F, 0x20, 0x21, 0x24, 0x2C, 0x30, 0x31, 0x4E, 0xA6, 0xA7, 0xAC, 0xFB, 0xFE, 0xFF,
                                                        0x104, 0x105, 0x10D, 0x110, 0x113, 0x16D, 0x1D4, 0x1E9, 0x1F1, 0x1F6])
        return "".join(chr(b << 8 | rng.randrange(256)) for _ in range(rng.randint(1, 16)))

    def marked():
        out = []
        for _ in range(rng.randint(1, 5)):
            out.append(rng.choice(["a", "e", "한", "ᄀ", "क", "ש", " ", "1", "Å", "ệ", "", "\n", chr(rng.randrange(0xC0, 0x250))]))
            k = rng.choice([1, 1, 2, 3, 5, 29, 31, 33, 64])
            some = rng.choices(mark, k=rng.randint(1, 4))
            out += [chr(rng.choice(some)) for _ in range(k)]
        return "".join(out)

    def white():
        return "".join(rng.choice(WHITE) * rng.choice([1, 1, 2, 7]) + rng.choice(["", "x", "1", "."]) for _ in range(rng.randint(1, 8)))

    def emoji():
        return "".join(rng.choices(EMOJI, k=rng.randint(1, 12)))

    def digits():
        return "".join(rng.choice(["7", "٣", "๓", "Ⅷ", "½", "²", "①", "𝟘", "一", ",", ".", " ", "e", "-", "\u0301"]) for _ in range(rng.randint(1, 14)))

    def cased():
        return "".join(rng.choice(["A", "b", "ǅ", "ʰ", "ª", "ß", "İ", "汉", "'", "’", "s", "S", "ll", "VE", "\u0301", " ", "/", "\n", "Σ"])
                       for _ in range(rng.randint(1, 14)))

    kinds = [piece, line, slice_, block, marked, white, emoji, digits, cased]

    def mixed():
        return "".join(rng.choice(kinds)() for _ in range(rng.randint(2, 5)))

    fixed = ["", " ", "\n", "  a  b ", "▁", "a" * 70, " " * 40 + "x", "🙂" * 20, "a" + "\u0301" * 40, "\u0301" * 40]
    out = fixed + [rng.choice(kinds + [piece, mixed, mixed])() for _ in range(n - len(fixed))]
    return [re.sub("[\ud800-\udfff]", "", t) for t in out]
