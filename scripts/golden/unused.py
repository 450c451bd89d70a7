"""Writes what sentencepiece makes of texts with a BPE model of whose pieces some are unused: data/spm/testdata/unused.json.

    python scripts/golden/unused.py > data/spm/testdata/unused.json
"""

import json
import random

import sentencepiece

NORMAL, UNUSED = 1, 5


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def pieces(model):
    """The places of the messages of pieces, field 1 of the model, with their lengths."""
    at = 0
    while at < len(model):
        begin = at
        tag, at = varint(model, at)
        if tag == 1 << 3 | 2:
            size, at = varint(model, at)
            yield begin, at, size
            at += size
        elif tag & 7 == 2:
            size, at = varint(model, at)
            at += size
        elif tag & 7 == 0:
            _, at = varint(model, at)
        else:
            at += 4 if tag & 7 == 5 else 8


def unused(model, chosen):
    out, done = b"", 0
    for i, (begin, at, size) in enumerate(pieces(model)):
        if i in chosen:
            body = model[at:at + size] + bytes([3 << 3, UNUSED])
            length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7])
            out += model[done:begin] + bytes([1 << 3 | 2]) + length + body
            done = at + size
    return out + model[done:]


model = open("data/spm/testdata/bpe.model", "rb").read()
sp = sentencepiece.SentencePieceProcessor(model_proto=model)
rng = random.Random(5)
long = [i for i in range(sp.vocab_size()) if not (sp.is_control(i) or sp.is_unknown(i) or sp.is_byte(i)) and len(sp.id_to_piece(i)) > 1]
words = [sp.id_to_piece(i).replace("\u2581", " ") for i in long]
cases = []
for share in (0.1, 0.3, 0.6, 1.0):
    chosen = sorted(rng.sample(long, int(share * len(long))))
    other = sentencepiece.SentencePieceProcessor(model_proto=unused(model, set(chosen)))
    texts = ["".join(rng.choice(words) for _ in range(rng.randrange(1, 9))) for _ in range(80)]
    cases.append({"unused": chosen, "texts": texts, "ids": [other.encode(t) for t in texts]})
print(json.dumps(cases, ensure_ascii=False))
