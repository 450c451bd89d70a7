"""Write what Hugging Face tokenizers makes of corpus.txt: hf_PATTERN.json (training) and ids.json (encoding).

Usage, in this folder: python gen_golden.py  (needs tokenizers 0.23 or later)
"""
import json
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

sys.path.insert(0, "../../../scripts/bench")
from bpe import PATTERNS

EOT = "<|endoftext|>"
TEXTS = [
    "", " ", "\n", "Emma Woodhouse, handsome, clever, and rich", "  two  spaces \t\tand tabs\n\n\nnewlines  ",
    "It's we'll I'VE they'Re 'ſ 12345 1,234.5", "El Señor dijo: ¿qué haces aquí, niño?", "日本語と漢字ABCdef हिन्दी עברית",
    "if (a == b) { return x; } // ====== done ======\n\tend", "🙂👩‍👩‍👧 e\u0301\u0301 \u00a0\u3000x \ufffd\x00\x7f",
    f"one{EOT}two{EOT}{EOT} three <|endof", "a  <s>  b<s>c  <t>  d xx axx xx- <pad><pad2> <b\u00e9>",
]
ADDED = [AddedToken("<s>", lstrip=True, special=False), AddedToken("<t>", rstrip=True, normalized=False, special=True),
         AddedToken("xx", single_word=True, special=False), AddedToken("<pad>", special=True, normalized=False),
         AddedToken("<pad2>", special=False, normalized=False), AddedToken("<b\u00e9>", special=True)]


def pre_tokenizer(pattern):
    if pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(PATTERNS[pattern]), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def main():
    with open("corpus.txt", newline="") as f:
        documents = f.read().split("\f")
    ids = []
    for pattern in ("gpt2", *PATTERNS):
        tok = Tokenizer(models.BPE())
        tok.pre_tokenizer = pre_tokenizer(pattern)
        tok.train_from_iterator(documents, trainers.BpeTrainer(
            vocab_size=700, special_tokens=[EOT], show_progress=False, min_frequency=2 if pattern == "gpt4" else 0,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        tok.add_tokens(ADDED[:1] + ADDED[2:3] + ADDED[4:5])
        tok.add_special_tokens([a for a in ADDED if a.special])
        tok.save(f"hf_{pattern}.json", pretty=False)
        for text in TEXTS:
            special = tok.encode(text).ids
            tok.encode_special_tokens = True
            ids.append({"pattern": pattern, "text": text, "special": special, "ordinary": tok.encode(text).ids})
            tok.encode_special_tokens = False
    with open("ids.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(i) for i in ids) + "\n]\n")


if __name__ == "__main__":
    main()
