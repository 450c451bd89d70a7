"""Writes data/similar/testdata/rouge.json: texts with rouge_score's ROUGE-L of each with the
others, and which of them self-instruct's filter at 0.7 keeps when they come one by one.

    python scripts/golden/rouge.py
"""

import json
import pathlib
import random

from rouge_score import rouge_scorer

TEXTS = [
    "Write a poem about the rays of light.", "Write a poem about the colours of light.", "write a POEM about the rays of light", "", "...", "Äpfel und naïve İstanbul Kelvin",
    "List 3 uses of 12 prisms, e.g. in class-rooms.", "你好，世界", "the the the the", "the cat the cat the", "What's 1,234.56 + 7?", "foo_bar baz", "ſt ﬁn", "a",
]


def main():
    draw = random.Random(1704)
    texts = list(TEXTS)
    words = "name sort explain the a list of light colour ray prism glass lens and or in by with red blue green why how what is are".split()
    for n in (5, 9, 14, 40, 63, 64, 65, 100, 127, 128, 129, 200):
        base = [draw.choice(words) for _ in range(n)]
        texts.append(" ".join(base))
        for keep in (0.9, 0.75, 0.6):
            texts.append(" ".join(w if draw.random() < keep else draw.choice(words) for w in base))
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    score = lambda a, b: scorer.score(a, b)["rougeL"].fmeasure
    rows = [[score(a, b) for b in texts] for a in texts]
    kept = []
    for i in range(len(texts)):
        if all(rows[i][k] < 0.7 for k in kept):
            kept.append(i)
    path = pathlib.Path(__file__).parent.parent.parent / "data" / "similar" / "testdata" / "rouge.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(dict(texts=texts, rouge=[[round(x, 9) for x in r] for r in rows], kept=kept), ensure_ascii=False) + "\n")
    print(path, len(texts), len(kept))


if __name__ == "__main__":
    main()
