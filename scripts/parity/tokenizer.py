"""Compare our tokenizers with Hugging Face's tokenizers and with sentencepiece on fuzzed text.

    scripts/parity/tokenizer.sh [strings a tokenizer [seed [folder of texts [file.gguf]]]]

Byte-level BPE with the pre-tokenizers and normalizers that published models have, trained on the spot; the
tokenizer of SmolLM2 where a GGUF file is named; BPE and unigram models of sentencepiece, whole, as the
tokenizer.json that we write of them. Each encodes strings of its own, and decodes the ids. Prints one row a
tokenizer and exits 1 if any string differs.

Left out is what differs on purpose: the text of a normalized added token that normalizing alters, and what
sentencepiece writes for an unknown piece.
"""

import base64
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import sentencepiece
from texts import corpus, texts
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a panic in a thread of its own ends the process
TMP, COUNT, SEED = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
LINES = corpus(sys.argv[4])
rows, total = [], 0


def fresh():
    """Strings that no other tokenizer got."""
    global total
    total += COUNT
    return texts(f"{SEED} {total}", COUNT, LINES)


def ours(path, data, ids):
    """Ids of each of data, bytes; the same with special tokens recognised; bytes of each of ids; seconds."""
    request = json.dumps({"texts": [base64.b64encode(d).decode() for d in data], "ids": ids})
    out = json.loads(subprocess.run([TMP / "tokenize", path], input=request, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return out["ids"] or [], out["special"] or [], [base64.b64decode(t or "") for t in out["texts"] or []], out["seconds"]


def report(name, kind, data, want, got):
    bad = [i for i, (a, b) in enumerate(zip(want, got, strict=True)) if a != b]
    rows.append((name, kind, len(want), len(bad)))
    for i in bad[:3]:
        print(f"{name}, {kind}: {data[i]!r}\n  want {want[i]!r}\n  got  {got[i]!r}")
    return len(bad)


def line(name, counts, seconds, theirs, size):
    print(f"{name:28} {' '.join(f'{k} {n}' for k, n in counts.items()):52} {size / seconds / 1e6:6.1f} MB/s, theirs {size / theirs / 1e6:5.1f}", flush=True)


def encode(theirs, strings):
    """Ids of all strings, None for those on which tokenizers panics."""
    try:
        return [e.ids for e in theirs.encode_batch_fast(strings, add_special_tokens=False)]
    except BaseException as e:
        if type(e).__name__ != "PanicException":
            raise
    out = []
    for text in strings:
        try:
            out.append(theirs.encode(text, add_special_tokens=False).ids)
        except BaseException as e:
            if type(e).__name__ != "PanicException":
                raise
            out.append(None)
    return out


def against_tokenizers(name, path, path_of_theirs=None):
    """Compares ours of a file, such as a tokenizer.model, with tokenizers' of a tokenizer.json."""
    theirs = Tokenizer.from_file(str(path_of_theirs or path))
    strings = fresh()
    theirs.encode_special_tokens = True
    start = time.time()
    plain = encode(theirs, strings)
    seconds = time.time() - start
    theirs.encode_special_tokens = False
    special = encode(theirs, strings)
    whole = [i for i, (a, b) in enumerate(zip(plain, special)) if a is not None and b is not None]
    kept, plain, special = [strings[i] for i in whole], [plain[i] for i in whole], [special[i] for i in whole]
    data = [t.encode() for t in kept]
    decoded = theirs.decode_batch(special, skip_special_tokens=False)
    ids, ours_special, back, own = ours(path, data, special)
    counts = {"ids": report(name, "ids", kept, plain, ids), "special": report(name, "special", kept, special, ours_special),
              "decoded": report(name, "decoded", kept, decoded, [b.decode(errors="replace") for b in back])}
    if len(kept) < len(strings):
        counts["panics of theirs"] = len(strings) - len(kept)
    line(name, counts, own, seconds, sum(map(len, data)))


ADDED = [AddedToken("<|endoftext|>", special=True), AddedToken("<s>", special=True), AddedToken("[INST]", special=True, lstrip=True),
         AddedToken("<sep>", special=False, normalized=False, rstrip=True), AddedToken("func", special=False, normalized=False, single_word=True),
         AddedToken("  ", special=False, normalized=True)]


def split(pattern, behavior="isolated"):
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=False)


def byte_level(*steps, prefix=False, regex=False):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)])


GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = GPT4.replace("{1,3}", "")
QWEN35 = QWEN2.replace(r"\p{L}+", r"[\p{L}\p{M}]+").replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
UPPER, LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
CONTRACTED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
O200K = "|".join([f"{UPPER}*{LOWER}+{CONTRACTED}", f"{UPPER}+{LOWER}*{CONTRACTED}", r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
TEKKEN = O200K.replace(CONTRACTED, "").replace("{1,3}", "")
DEEPSEEK = [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), pre_tokenizers.Digits(individual_digits=True)]
DEEPSEEK3 = [split(r"\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"),
             split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")]
BYTE_LEVEL = {
    "gpt2": (None, pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "roberta": (None, pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "llama3": (None, byte_level(split(GPT4))),
    "qwen2 NFC": (normalizers.NFC(), byte_level(split(QWEN2))),
    "qwen3.5 NFC": (normalizers.NFC(), byte_level(split(QWEN35))),
    "o200k": (None, byte_level(split(O200K))),
    "tekken": (None, byte_level(split(TEKKEN))),
    "smollm digits": (None, byte_level(pre_tokenizers.Digits(individual_digits=True), regex=True)),
    "falcon": (None, pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
                                              pre_tokenizers.Digits(individual_digits=False), split("[0-9][0-9][0-9]")])),
    "deepseek": (None, byte_level(*DEEPSEEK)),
    "deepseek-v3": (None, byte_level(*DEEPSEEK3)),
    "NFD": (normalizers.NFD(), byte_level(split(GPT4))),
    "NFKC": (normalizers.NFKC(), byte_level(split(GPT4))),
    "NFKD": (normalizers.NFKD(), byte_level(split(GPT4))),
    "NFD, lower, no accents": (normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]),
                               pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "nmt, strip, replace": (normalizers.Sequence([normalizers.Nmt(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(), normalizers.Prepend("_")]),
                            pre_tokenizers.ByteLevel(add_prefix_space=False)),
}


def byte_level_tokenizers():
    for name, (normalizer, pre) in BYTE_LEVEL.items():
        t = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
        if normalizer:
            t.normalizer = normalizer
        t.train_from_iterator(LINES[::7], trainers.BpeTrainer(vocab_size=3000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        t.add_tokens(ADDED[3:5] if "replace" in name else ADDED[3:])  # tokenizers panics on two spaces that become one
        t.add_special_tokens(ADDED[:3])
        file = TMP / f"{name}.json"
        t.save(str(file))
        against_tokenizers(name, file)


SPM = {
    "spm bpe bytes": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                          allow_whitespace_only_pieces=True),
    "spm bpe nmt_nfkc": dict(model_type="bpe", normalization_rule_name="nmt_nfkc"),
    "spm bpe defined": dict(model_type="bpe", user_defined_symbols=["[INST]", "▁▁", "<sep>", "汉"], normalization_rule_name="identity"),
    "spm bpe no prefix": dict(model_type="bpe", add_dummy_prefix=False, byte_fallback=True, normalization_rule_name="nfkc_cf"),
    "spm unigram": dict(model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, normalization_rule_name="identity"),
    "spm unigram nmt_nfkc": dict(model_type="unigram", normalization_rule_name="nmt_nfkc"),
    "spm unigram bytes cf": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nmt_nfkc_cf", user_defined_symbols=["<sep>", "func", "▁▁▁"]),
    "spm unigram nfkc": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="nfkc", remove_extra_whitespaces=False,
                             treat_whitespace_as_suffix=False, user_defined_symbols=["the", "[INST]"]),
}


def broken(rng, data):
    """Bytes of which some are no UTF-8."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if data:
            at = rng.randrange(len(data))
            rng.choice([lambda: data.pop(at), lambda: data.insert(at, rng.randrange(0x80, 0x100)), lambda: data.__setitem__(at, rng.randrange(0x80, 0x100))])()
    return bytes(data)


def sentencepiece_models():
    rng = random.Random(SEED)
    for name, options in SPM.items():
        data = [t.encode() for t in fresh()]
        data += [broken(rng, d) for d in rng.sample(data, min(len(data), 1 + COUNT // 5))]
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(LINES[::7]), model_writer=model, minloglevel=2, vocab_size=3000,
                                                 hard_vocab_limit=False, num_threads=1, **options)
        directory = TMP / name.replace(" ", "-")
        directory.mkdir()
        file = directory / "tokenizer.model"
        file.write_bytes(model.getvalue())
        sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        start = time.time()
        want = [sp.encode(d) for d in data]
        seconds = time.time() - start
        # What is unknown decodes to its piece here, as in tokenizers, and to ⁇ in sentencepiece.
        decoded = [sp.decode(ids).replace(" ⁇ ", "<unk>") for ids in want]
        ids, _, back, own = ours(file, data, want)
        counts = {"ids": report(name, "ids", data, want, ids), "decoded": report(name, "decoded", data, decoded, [b.decode(errors="replace") for b in back])}
        line(name, counts, own, seconds, sum(map(len, data)))
        written = directory / "tokenizer.json"
        subprocess.run([TMP / "tokenize", file, "json", written], check=True)
        against_tokenizers(name + " json", written)


def smollm2():
    if len(sys.argv) > 5:
        subprocess.run([TMP / "gotrain", "import", sys.argv[5], TMP / "smollm2", "--verify=false", "--json"], check=True, stdout=subprocess.DEVNULL)
        against_tokenizers("SmolLM2-135M-Instruct", TMP / "smollm2" / "tokenizer.json")


byte_level_tokenizers()
smollm2()
sentencepiece_models()
bad = sum(row[3] for row in rows)
print(f"{sum(row[2] for row in rows)} comparisons on {total} strings, seed {SEED}: {bad} differ")
sys.exit(1 if bad else 0)
