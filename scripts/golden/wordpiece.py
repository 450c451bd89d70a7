"""Writes data/wordpiece/testdata/trained.json.gz: what Hugging Face tokenizers' WordPieceTrainer
learns from texts, and the ids of hostile texts under it.

    python scripts/golden/wordpiece.py

The trainer numbers the characters inside words in the order of a hash map, which is another one in each
process, and merges the pair of smallest ids first where counts are equal. Here it gets all characters
as special tokens, so that their order, and with it the result, is a function of the texts. "order" is whether
three runs without that agree on the set of tokens.
"""

import gzip
import json
import pathlib

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent.parent.parent
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = {
    "english": (HERE / "data/bpe/testdata/corpus.txt").read_text().split("\n\n"),
    "mixed": [
        "Crème brûlée — naïve café, Ærøskøbing; STRASSE straße ﬁne ﬂow", "東京は日本の首都です。 中文字符 한국어 텍스트", "İstanbul'da ılık SU; Ǆ ǅ ǆ",
        "a\u0301 e\u0301\u0302 \u200b zero\u200dwidth \ufeff bom\u00ad soft", "tab\tand\nnewline\r\nand\u00a0nbsp\u3000wide", "x" * 120 + " " + "yz" * 40,
        "[CLS] is no token here [MASK] nor this", "emoji 🙂🙃 👩‍👩‍👧 flags 🇩🇪", "١٢٣ ४५६ ½ ² ①", "don't can't o'clock 3.14 1,000 e-mail a_b",
        "the theme then there these the theme then there", "",
    ],
}
HOSTILE = TEXTS["mixed"] + [
    "\x00nul \x07bell", "\ufffd replacement", "unaffable UNAFFABLE", " ", "\n\n", "[SEP][SEP] [MASK]s x[MASK]y", "a" * 101, "ﬀ ﬃ", "̈ umlaut alone", "ß ẞ",
    "..." * 30, "don’t “quote” —dash", "K Å (kelvin, angstrom)", "\U0001D400\U0001D401", "ا\u064eب", "हिन्दी", "\u2028line\u2029para", "ｆｕｌｌ", "ǅ", "𠀀𪜶", "～", "$€£", "`^~|<>+=",
]


def blank(lowercase):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    return t


def learn(texts, lowercase, size, special):
    t = blank(lowercase)
    t.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    vocab = t.get_vocab()
    return sorted(vocab, key=vocab.get)


def alphabet(texts, lowercase):
    t = blank(lowercase)
    words = {w for text in texts for w, _ in t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(text))}
    return sorted({c for w in words for c in w}) + ["##" + c for c in sorted({c for w in words for c in w[1:]})]


def main():
    cases = []
    for name, texts in TEXTS.items():
        for lowercase in (True, False):
            for size in (300, 500, 100000):
                special = SPECIAL + alphabet(texts, lowercase)
                if size < len(special):
                    continue
                tokens = learn(texts, lowercase, size, special)
                runs = {tuple(sorted(learn(texts, lowercase, size, SPECIAL))) for _ in range(3)}
                t = blank(lowercase)
                t.model = models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]")
                t.add_special_tokens(SPECIAL)
                t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
                cases.append({
                    "name": f"{name} {lowercase} {size}", "texts": texts, "lowercase": lowercase, "vocab": size, "tokens": tokens, "order": len(runs) == 1 and runs.pop() == tuple(sorted(tokens)),
                    "ids": [[text, e.ids, t.decode(e.ids), t.decode(e.ids, skip_special_tokens=False)] for text in HOSTILE for e in [t.encode(text)]],
                    "pairs": [[a, b, e.ids, e.type_ids] for a, b in zip(HOSTILE, HOSTILE[1:]) for e in [t.encode(a, b)]],
                    "tokenizer": json.loads(t.to_str()),
                })
    path = HERE / "data/wordpiece/testdata/trained.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(cases, ensure_ascii=False).encode(), mtime=0))
    for c in cases:
        print(c["name"], len(c["tokens"]), c["order"])
    print(path.stat().st_size)


if __name__ == "__main__":
    main()
