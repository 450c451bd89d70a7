"""Write what sentencepiece and tokenizers make of fuzzed text: data/spm/testdata/*.model and ids.json.

Usage, in the project's root: python scripts/golden/tokenizer.py
"""
import io
import json
import random

import sentencepiece

PIECES = ("a|Hello|the|'s|'ll|’s|ſ| |  |   |\t|\n|\r\n|\u00a0|\u3000|\u2028|▁|1|1234|٣|Ⅷ|½|①|㎏|ﬁ|Å|...|…|==|``|é|É|ñ|ß|ǅ|汉字|日本語|ｶﾞ|が|"
          "한국|ทำ|हिन्दी|שָׁלוֹם|العربية|ﷺ|\u0301|e\u0301|q\u0323\u0307|Привет|Ελλάδα|İ|🙂|👩‍👩‍👧|🇩🇪|❤️|\u200b|\ufeff|\ufffd|\x01|\x7f|€|𝐀|"
          "<s>|</s>|<unk>|<0x41>|[INST]|<sep>|func|http://").split("|")
MODELS = {
    "bpe": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "bpe_defined": dict(model_type="bpe", user_defined_symbols=["[INST]", "▁▁"], normalization_rule_name="identity"),
    "unigram": dict(model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity"),
    "unigram_bytes": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nmt_nfkc_cf",
                          user_defined_symbols=["<sep>"]),
    # Symbols inside ordinary words, which others compete with.
    "unigram_defined": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nmt_nfkc",
                            user_defined_symbols=["the", "e", "▁of"]),
}


def main():
    with open("data/bpe/testdata/corpus.txt") as f:
        corpus = [line for line in f.read().split("\n") if line]
    rng = random.Random(5)
    texts = ["", " ", "  a  b ", "▁", "a" * 70, " " * 40 + "x", "🙂" * 20]
    texts += ["".join(rng.choices(PIECES, k=rng.randint(1, 12))) for _ in range(60)]
    texts += rng.sample(corpus, 10)
    defined = ["other office", "then there, ether of these", "Σª \u0301⌚type {''ʰbllll#eof"] + rng.sample(corpus, 30)
    out = []
    for name, options in MODELS.items():
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_writer=model, minloglevel=2,
                                                 vocab_size=700, hard_vocab_limit=False, num_threads=1, **options)
        with open(f"data/spm/testdata/{name}.model", "wb") as f:
            f.write(model.getvalue())
        sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        out += [{"model": name, "text": text, "ids": sp.encode(text)} for text in texts + (defined if name == "unigram_defined" else [])]
    with open("data/spm/testdata/ids.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(record) for record in out) + "\n]\n")


if __name__ == "__main__":
    main()
