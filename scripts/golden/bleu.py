"""Writes train/eval/bleu/testdata/golden.json: corpora of texts and references with what
sacrebleu makes of them.

    python scripts/golden/bleu.py
"""

import json
import pathlib
import random

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

TEXTS = [
    "The cat sat on the mat.", "A price of $1,234.56 (or 7-8 €), isn't it?", "He said &quot;no&quot; &amp; left &lt;skipped&gt;.", "word-\nbreak and\ttabs",
    "Äpfel, naïve — 你好，世界。 Привет!", "x", "", "1.5.2 .. , ,9 3-4-5 a-b", "[brackets] {braces} ~tilde` ^hat_ @at #hash %", "The the THE the.", "end.\n", "a b c d e f g h i j",
    "uh tibv wko nujkw", "wko tibv ah nujkw", "non\u00a0breaking\u2003space \x1c separator", "...", "3,000,000.00", "Mr. O'Neil's 90's", "<skipped>gone", "&amp;lt;",
]


def corpora():
    draw = random.Random(7)
    yield [("The cat sat on the mat.", "The cat sat on a mat.")]
    yield [("", "something")]
    yield [("something", "")]
    yield [("a b c", "a b c")]
    yield [("completely other words here now", "nothing of that is the same")]
    yield [(t, t) for t in TEXTS if t]
    for n in (2, 5, 12, 20):
        yield [(draw.choice(TEXTS), draw.choice(TEXTS)) for _ in range(n)]
    for n in (3, 8, 30):  # texts that are close to their references
        pairs = []
        for _ in range(n):
            words = " ".join(draw.sample(TEXTS, 2)).split(" ")
            other = [w for w in words if draw.random() < 0.8]
            if draw.random() < 0.5:
                draw.shuffle(other)
            pairs.append((" ".join(other), " ".join(words)))
        yield pairs


def main():
    bleu, chrf = BLEU(), CHRF()
    out = []
    for pairs in corpora():
        texts, references = [p[0] for p in pairs], [[p[1] for p in pairs]]
        out.append(dict(texts=texts, references=references[0], bleu=bleu.corpus_score(texts, references).score, chrf=chrf.corpus_score(texts, references).score))
    tokens = [[t, bleu._preprocess_segment(t)] for t in TEXTS]
    golden = dict(version=sacrebleu.__version__, signature=bleu.get_signature().format(), chrf_signature=chrf.get_signature().format(), corpora=out, tokens=tokens)
    path = pathlib.Path(__file__).parent.parent.parent / "train" / "eval" / "bleu" / "testdata" / "golden.json"
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    print(path, [round(c["bleu"], 2) for c in out])


if __name__ == "__main__":
    main()
