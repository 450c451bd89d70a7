"""Writes what each normalizer, pre-tokenizer and decoder of tokenizers does to a few texts, each by itself.

Usage, in the project's root: python scripts/golden/steps.py > data/hf/testdata/steps.json
"""

import itertools
import json

from tokenizers import Tokenizer

TEXTS = ["", " ", "a", "the-final--countdown", "-a-", "--", "a--", "--a", " Hello,  World! ", "a b\tc\nd", "x1y22 ٣½", "é世🙂 ÀÉ", "e\u0301 ﬁ Å", "İI ßẞ", "it's 'S don't",
         "\u200b\u00a0a\u3000b\u2028", "\x01\x7f\x8f\x9f\ufeff\ufffd\t", "▁a▁b", "a▁▁b ", "<<x>>", "...!?", "aaa", "日本 語", "a,b;c", " -", "- ", "a\n", "\na\n\nb\n", "a\nb", "\n", "\x0b\x0c\x0e\x1f\u1680\u200f\u2581"]
# The borders of the classes of characters that BERT's steps have: CJK, punctuation, control, white space.
EDGES = [0x33FF, 0x3400, 0x4DBF, 0x4DC0, 0x4DFF, 0x4E00, 0x9FFF, 0xA000, 0x1FFFF, 0x20000, 0x2A6DF, 0x2A6E0, 0x2A6FF, 0x2A700, 0x2B73F, 0x2B740, 0x2B81F, 0x2B820, 0x2CEAF, 0x2CEB0,
         0xF8FF, 0xF900, 0xFAFF, 0xFB00, 0x2F7FF, 0x2F800, 0x2FA1F, 0x2FA20, 0xE0100, 0x10FFFD]
TEXTS += ["".join("a" + chr(c) for c in EDGES), "".join("a" + chr(c) for c in range(0x20, 0x7F)), "".join("b" + chr(c) for c in [*range(1, 0x20), *range(0x7F, 0x100)]),
          "".join("c" + chr(c) for c in range(0x2000, 0x2070)), "".join("d" + chr(c) for c in range(0x3000, 0x3021)), "A\u0301\u0327b\u0488\u0e31\u093e\u20dd", "\u2f00\ufdfa\u1e9b\u0323\u212b\u03d3"]
PATTERNS = [{"String": "-"}, {"String": "--"}, {"String": " "}, {"Regex": "[a-z]+"}, {"Regex": "\\s+"}, {"Regex": "-+|\\d"}, {"Regex": "a"}, {"String": "a"},
            *({"Regex": r} for r in ("^", "$", "\\b", "(?=b)", "x*", "(?<=\\n)", "\\n?$", "a|^"))]
NORMALIZERS = [{"type": t} for t in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]] + [
    *({"type": "Strip", "strip_left": a, "strip_right": b} for a in (True, False) for b in (True, False)),
    *({"type": "Prepend", "prepend": p} for p in ("▁", "ab")),
    *({"type": "Replace", "pattern": p, "content": c} for p in PATTERNS for c in ("", "▁", "xyz")),
    *({"type": "BertNormalizer", "clean_text": a, "handle_chinese_chars": b, "strip_accents": c, "lowercase": d} for a in (True, False) for b in (True, False) for c in (True, False, None) for d in (True, False)),
    {"type": "Sequence", "normalizers": []},
    {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Prepend", "prepend": " "}, {"type": "Strip", "strip_left": False, "strip_right": True}]},
]
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PRE_TOKENIZERS = [
    *({"type": "Split", "pattern": p, "behavior": b, "invert": i} for p in PATTERNS for b in BEHAVIORS for i in (False, True)),
    *({"type": "Digits", "individual_digits": i} for i in (True, False)),
    *({"type": "Punctuation", "behavior": b} for b in BEHAVIORS),
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"},
    *({"type": "CharDelimiterSplit", "delimiter": d} for d in ("-", " ", "世")),
    *({"type": "FixedLength", "length": n} for n in (1, 2, 5)),
    *({"type": "Metaspace", "replacement": r, "prepend_scheme": s, "split": p} for r in ("▁", "_") for s in ("always", "first", "never") for p in (True, False)),
    *({"type": "ByteLevel", "add_prefix_space": a, "trim_offsets": True, "use_regex": r} for a in (True, False) for r in (True, False)),
    {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}]},
    {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]},
    {"type": "Sequence", "pretokenizers": []},
]
TOKENS = [[], ["a"], ["▁a", "▁b"], ["a", "##b", "c", "##"], ["Ġa", "Ġb", "Ċ"], ["<0xE4>", "<0xB8>", "<0x96>", "x"], ["▁▁a", "b▁"], ["a</w>", "b", "c</w>"], ["do", "not", ".", "'", "s"],
          ["I", "'", "m", ",", "ca", "n't", "!", "?"], [" a", " b "], ["   x"], ["", "a", ""], ["<0x41>", "▁", "<0x0A>"], ["Ã©", "é"], ["##a", "##b"], ["_a", "_b"], ["▁", "▁a"], ["<0xG1>", "<0x4>"]]
DECODERS = [
    None, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}, {"type": "ByteFallback"}, {"type": "Fuse"},
    *({"type": "Replace", "pattern": {"String": p}, "content": c} for p in ("▁", "a", "##") for c in (" ", "", "xy")),
    *({"type": "Strip", "content": " ", "start": n, "stop": 0} for n in (0, 1, 2)),
    *({"type": "Metaspace", "replacement": r, "prepend_scheme": s, "split": True} for r in ("▁", "_") for s in ("always", "first", "never")),
    *({"type": "WordPiece", "prefix": p, "cleanup": c} for p in ("##", "") for c in (True, False)),
    *({"type": "BPEDecoder", "suffix": s} for s in ("</w>", "b")),
    {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]},
]


def tokenizer(**parts):
    model = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}
    return Tokenizer.from_str(json.dumps({**whole, **parts}))


def cut(step, text):
    return [word for word, _ in tokenizer(pre_tokenizer=step).pre_tokenizer.pre_tokenize_str(text)]


def decoded(step, tokens):
    t = tokenizer(decoder=step)
    return t.decoder.decode(tokens) if step else " ".join(tokens)


cases = {
    "normalizers": [[s, [tokenizer(normalizer=s).normalizer.normalize_str(x) for x in TEXTS]] for s in NORMALIZERS],
    "pre_tokenizers": [[s, [cut(s, x) for x in TEXTS]] for s in PRE_TOKENIZERS],
    "decoders": [[s, [decoded(s, x) for x in TOKENS]] for s in DECODERS],
}
lines = [f'"{kind}": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False) for c in all_) + "\n]" for kind, all_ in cases.items()]
print('{"texts": ' + json.dumps(TEXTS) + ',\n"tokens": ' + json.dumps(TOKENS) + ",\n" + ",\n".join(lines) + "}")
