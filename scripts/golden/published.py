"""Writes data/tokenizers/testdata/published.json: ids of tiktoken for the tokenizers
that gotrain carries, from the rank files that it embeds.

    published.py DIRECTORY_OF_RANK_FILES OUT.json
"""

import base64
import json
import os
import sys

import tiktoken
import tiktoken_ext.openai_public as public

TEXTS = [
    "Hello world", "The Rays of Light differ in Colour,\n\n  and\tin Refrangibility. 12345 don't WE'LL",
    "日本語のテキスト\u3000と絵文字🙂\u200d↔️", "  \n \u00a0x\r\n", "naïve Ünïcödé ДАННЫЕ_test-FooBarBAZ99", "", "<|endoftext|>",
]


def ranks(name, **_):
    with open(os.path.join(sys.argv[1], os.path.basename(name)), "rb") as f:
        return {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in f.read().splitlines() if line)}


public.load_tiktoken_bpe = ranks
ids = {}
for name, encoding in (("gpt2", public.r50k_base), ("cl100k", public.cl100k_base), ("o200k", public.o200k_base)):
    e = tiktoken.Encoding(**encoding())
    ids[name] = [e.encode(t, disallowed_special=()) for t in TEXTS]
with open(sys.argv[2], "w") as f:
    json.dump({"texts": TEXTS, "ids": ids}, f, ensure_ascii=False)
