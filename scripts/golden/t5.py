"""Writes data/tokenizers/testdata/t5.json: T5's forms of tokenizer.json, small, with ids and texts of tokenizers.

    python scripts/golden/t5.py
"""

import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "the rays of light", "a <extra_id_0> b <extra_id_1>.", " two  spaces ", "tabs\tand\nlines", "", "<extra_id_0>", "x<extra_id_2>y", "éﬁ½ 漢字 unknown ☃",
    "</s> in text", "the <extra_id_3> end </s>", "<extra_id_4> is none", "summarize: <pad> the light", "<extra_id_1><extra_id_0>",
]
CORPUS = ["the rays of light are bent by the prism", "the angle of incidence is equal to the angle of reflexion", "colours of thin plates and of rays", "a b x y . tabs lines"] * 5
SENTINELS = 4


def document(split):
    t = Tokenizer(models.Unigram())
    meta = dict(replacement="▁", prepend_scheme="always")
    t.pre_tokenizer = pre_tokenizers.Metaspace(**meta)
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=90, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    t.add_special_tokens([f"<extra_id_{i}>" for i in reversed(range(SENTINELS))])
    t.decoder = decoders.Metaspace(**meta)
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    if split:
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**meta)])
    else:
        t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    return json.loads(t.to_str())


def main():
    forms = {"split at white space": document(True), "normalized": document(False)}
    stripped = json.loads(json.dumps(forms["normalized"]))
    for token in stripped["added_tokens"]:
        if "extra" in token["content"]:
            token.update(lstrip=True, rstrip=True)
    forms["sentinels take spaces"] = stripped
    out = []
    for name, d in forms.items():
        t = Tokenizer.from_str(json.dumps(d))
        ids = [t.encode(text).ids for text in TEXTS]
        out.append(dict(name=name, tokenizer=d, ids=ids, decoded=[t.decode(i) for i in ids]))
    path = pathlib.Path(__file__).parent.parent.parent / "data" / "tokenizers" / "testdata" / "t5.json"
    path.write_text(json.dumps(dict(texts=TEXTS, forms=out), ensure_ascii=False, separators=(",", ":")) + "\n")
    print(path, len(path.read_bytes()))


if __name__ == "__main__":
    main()
