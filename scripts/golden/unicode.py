"""Writes data/chat/jinja/unicode_tables.go to standard output: what Python knows of characters beyond Go's package unicode.

    python scripts/golden/unicode.py > data/chat/jinja/unicode_tables.go
"""

import platform
import unicodedata

from spans import spans

CHARACTERS = [i for i in range(0x110000) if not 0xD800 <= i < 0xE000]


def rune(i):
    return "'\\u%04x'" % i if i < 0x10000 else "'\\U%08x'" % i


def text(s):
    escape = lambda c: chr(c) if 32 < c < 127 else "\\u%04x" % c if c < 0x10000 else "\\U%08x" % c  # noqa: E731
    return '"' + "".join(map(escape, map(ord, s))) + '"'


def write(doc, declaration, entries):
    print(f"// {doc}\nvar {declaration}{{")
    line = ""
    for entry in entries:
        if len(line) + len(entry) > 118:
            print("\t" + line.rstrip())
            line = ""
        line += entry + ", "
    print("\t" + line.rstrip() + "\n}\n")


def table(name, doc, method, base=None):
    """The characters that a method of str makes several of, or others than the method base."""
    pairs = [(i, getattr(chr(i), method)()) for i in CHARACTERS]
    kept = [(i, s) for i, s in pairs if (s != getattr(chr(i), base)() if base else len(s) > 1)]
    write(f"{name} {doc}", f"{name} = map[rune]string", [f"{rune(i)}: {text(s)}" for i, s in kept])


def ranges(name, doc, characters):
    write(f"{name} {doc}", f"{name} = [][2]rune", [f"{{{rune(a)}, {rune(b)}}}" for a, b in spans(characters)])


print("package jinja\n")
print(f"// From unicodedata {unicodedata.unidata_version} of Python {'.'.join(platform.python_version_tuple()[:2])} by scripts/golden/unicode.py.\n")
table("upperLong", "holds the characters whose upper case is several.", "upper")
table("titleLong", "holds the characters whose title case is several.", "title")
table("foldOther", "holds the characters whose case folding is not their lower case.", "casefold", "lower")
ranges("digitRanges", "are the characters that isdigit() knows beside decimal digits.", [i for i in CHARACTERS if chr(i).isdigit() and not chr(i).isdecimal()])
ranges("numericRanges", "are the letters that isnumeric() knows beside numbers.", [i for i in CHARACTERS if chr(i).isnumeric() and unicodedata.category(chr(i)) not in ("Nd", "Nl", "No")])
ranges("otherLower", "are the characters of islower() that are no lower-case letters.", [i for i in CHARACTERS if chr(i).islower() and unicodedata.category(chr(i)) != "Ll"])
OTHER_STARTS = (0x1885, 0x1886, 0x2118, 0x212E, 0x309B, 0x309C)  # Unicode's Other_ID_Start
LETTERS, MARKS = ("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"), ("Mn", "Mc", "Nd", "Pc")
ranges("noStarts", "are the letters that no identifier begins with.", [i for i in CHARACTERS if (unicodedata.category(chr(i)) in LETTERS or i in OTHER_STARTS) and not chr(i).isidentifier()])
ranges("noParts", "are the letters and marks that are in no identifier.",
       [i for i in CHARACTERS if (unicodedata.category(chr(i)) in LETTERS + MARKS or i in OTHER_STARTS) and not ("a" + chr(i)).isidentifier()])
