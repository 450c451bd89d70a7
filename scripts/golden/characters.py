"""Writes sums of what Python's methods of str make of every character: data/chat/jinja/testdata/characters.json.

    python scripts/golden/characters.py > data/chat/jinja/testdata/characters.json

Characters that Python's version of Unicode has not assigned are left out, since Go's may know them, and so are those of private use. A sum is of 4,096 code
points: the first eight hexadecimal digits of the SHA-256 of the results, each followed by a zero byte; "" where none is assigned.
"""

import hashlib
import json
import unicodedata

from spans import spans

METHODS = ["capitalize", "casefold", "lower", "upper", "swapcase", "title", "isalnum", "isalpha", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
           "isprintable", "isspace", "istitle", "isupper", "strip"]
CHUNK = 4096

assigned = [i for i in range(0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs", "Co")]


def sums(method):
    chunks = {}
    for i in assigned:
        chunks.setdefault(i // CHUNK, hashlib.sha256()).update(str(getattr(chr(i), method)()).encode() + b"\0")
    return [chunks[n].hexdigest()[:8] if n in chunks else "" for n in range(0x110000 // CHUNK)]


print(json.dumps({"assigned": spans(assigned), "chunk": CHUNK, "methods": {m: sums(m) for m in METHODS}}))
