"""Writes data/tokenizers/testdata/added.json: what Hugging Face's tokenizers makes of
texts after special tokens were added to the tokenizers of generated.json.gz, one of
which the vocabulary has.

    python scripts/golden/added.py
"""

import gzip
import json
import pathlib

from tokenizers import Tokenizer

ROOT = pathlib.Path("data/tokenizers/testdata")


def main():
    out = []
    for number, case in enumerate(json.loads(gzip.decompress((ROOT / "generated.json.gz").read_bytes()))):
        t = Tokenizer.from_str(json.dumps(case["tokenizer"]))
        known = sorted(k for k in t.get_vocab() if k.isascii() and len(k) > 1)[:1]
        added = ["<|im_start|>", "<|im_end|>", *known, "<é>"]
        t.add_special_tokens(added)
        texts = ["<|im_start|>user\nhi<|im_end|>\n", "a<|im_start|>b <|im_end|>", "<é>e <é>", *(f"x{k} {k}" for k in known)]
        results = [[s, t.encode(s, add_special_tokens=False).ids] for s in texts]
        out.append({"number": number, "added": added, "ids": [t.token_to_id(a) for a in added], "vocab": max(t.get_vocab().values()) + 1, "texts": results})
    (ROOT / "added.json").write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in out) + "\n]\n")


if __name__ == "__main__":
    main()
