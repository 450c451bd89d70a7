"""Compare our tokenizers with Hugging Face's on tokenizer.json files made at random.

    scripts/parity/generated.sh [tokenizers, default 500 [texts of each, default 20 [seed [folder of texts]]]]
    python scripts/parity/generated.py golden data/tokenizers/testdata/generated.json.gz

Models of every kind, fitted to a few lines, with normalizers, pre-tokenizers, decoders, options and added tokens drawn at
random. For each text the ids with and without special tokens, the bytes that each id stands for, the frame and the decoded
text must be the same. Exits 1 if any differs; prints what we refuse.
"""

import base64
import collections
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece
from texts import corpus, texts
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

os.environ["TOKENIZERS_PARALLELISM"] = "false"
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
REGEXES = [GPT4, r"\s+", r"\w+|[^\w\s]+", r"\p{N}", r"[\p{P}&&[^_]]", r"(?<=\d)(?=\p{L})", r"\b", r"^", r"[A-Z]?[a-z]++|[A-Z]+(?![a-z])", r"\X", r"(?i)the|\h+", " ", r"\R"]
BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
CHARSMAP = None  # set by main


class Maker:
    def __init__(self, seed, lines, small=False):
        self.rng, self.lines, self.small = random.Random(seed), lines, small

    def some(self, p, value):
        return value() if self.rng.random() < p else None

    def normalizer(self):
        rng = self.rng
        steps = [lambda: normalizers.NFC(), lambda: normalizers.NFD(), lambda: normalizers.NFKC(), lambda: normalizers.NFKD(), lambda: normalizers.Lowercase(),
                 lambda: normalizers.StripAccents(), lambda: normalizers.Nmt(), lambda: normalizers.Strip(rng.random() < 0.5, rng.random() < 0.5),
                 lambda: normalizers.Replace(rng.choice([" ", "a", "ll", Regex(" {2,}"), Regex(r"\s+"), Regex(r"^\s"), Regex(r"[\p{P}&&\p{ASCII}]")]), rng.choice(["", " ", "▁", "xy"])),
                 lambda: normalizers.Prepend(rng.choice(["▁", " ", "ab"])),
                 lambda: normalizers.BertNormalizer(rng.random() < 0.5, rng.random() < 0.5, rng.choice([None, True, False]), rng.random() < 0.5),
                 lambda: normalizers.Precompiled(base64.b64decode(CHARSMAP))]
        picked = [rng.choice(steps)() for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        if not picked:
            return None
        return picked[0] if len(picked) == 1 and rng.random() < 0.7 else normalizers.Sequence(picked)

    def cut(self):
        rng = self.rng
        return rng.choice([
            lambda: pre_tokenizers.Whitespace(), lambda: pre_tokenizers.WhitespaceSplit(), lambda: pre_tokenizers.BertPreTokenizer(),
            lambda: pre_tokenizers.Digits(rng.random() < 0.5), lambda: pre_tokenizers.Punctuation(rng.choice(BEHAVIORS)),
            lambda: pre_tokenizers.CharDelimiterSplit(rng.choice(["a", " ", "é"])), lambda: pre_tokenizers.FixedLength(rng.randint(1, 9)),
            lambda: pre_tokenizers.Split(Regex(rng.choice(REGEXES)), rng.choice(BEHAVIORS), rng.random() < 0.2),
            lambda: pre_tokenizers.Split(rng.choice([" ", "e", "the", "▁"]), rng.choice(BEHAVIORS), rng.random() < 0.2),
        ])()

    def metaspace(self):
        rng = self.rng
        return pre_tokenizers.Metaspace("▁", rng.choice(["always", "first", "never"]), rng.random() < 0.7)

    def sequence(self, *steps):
        steps = [s for s in steps if s is not None]
        if not steps:
            return None
        return steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)

    @staticmethod
    def set(t, pre):
        if pre is not None:
            t.pre_tokenizer = pre
        return pre

    def added(self, t):
        rng = self.rng
        plain = [AddedToken(c, special=False, normalized=rng.random() < 0.5, lstrip=rng.random() < 0.3, rstrip=rng.random() < 0.3, single_word=rng.random() < 0.3)
                 for c in rng.sample(["<sep>", "func", "http", "éa", "[x]", "the", "don"], rng.randint(0, 3))]
        special = [AddedToken(c, special=True, normalized=rng.random() < 0.15, lstrip=rng.random() < 0.15, rstrip=rng.random() < 0.15)
                   for c in ["<s>", "</s>"] + rng.sample(["<|im_start|>", "[INST]", "<unk2>"], rng.randint(0, 2))]
        t.add_tokens(plain)
        t.add_special_tokens(special)

    def frame(self, t):
        rng = self.rng
        bos, eos = ("<s>", t.token_to_id("<s>")), ("</s>", t.token_to_id("</s>"))
        template = lambda: processors.TemplateProcessing(single=rng.choice(["<s> $A", "$A </s>", "<s> $A </s>", "<s> <s> $A"]), pair="<s> $A $B", special_tokens=[bos, eos])  # noqa: E731
        return rng.choice([lambda: None, template, template, lambda: processors.BertProcessing(eos, bos), lambda: processors.RobertaProcessing(eos, bos),
                           lambda: processors.ByteLevel(trim_offsets=False), lambda: processors.Sequence([processors.ByteLevel(trim_offsets=True), template()])])()

    def make(self):
        rng = self.rng
        kind = rng.choice(["byte-level", "byte-level", "bpe", "bpe", "unigram", "unigram", "wordpiece", "wordlevel"])
        lines = rng.sample(self.lines, 60 if self.small else 400)
        common = dict(show_progress=False, vocab_size=300 if self.small else rng.choice([350, 600, 1000]))
        byte_level = pre_tokenizers.ByteLevel(rng.random() < 0.3, use_regex=rng.random() < 0.5)
        if kind == "byte-level":
            t = Tokenizer(models.BPE(ignore_merges=rng.random() < 0.3))
            self.set(t, self.sequence(self.some(0.6, self.cut), self.some(0.2, self.cut), byte_level, self.some(0.15, self.cut)))
            t.decoder = decoders.ByteLevel()
            alphabet = pre_tokenizers.ByteLevel.alphabet() if rng.random() < 0.8 else []
            trainer = trainers.BpeTrainer(initial_alphabet=alphabet, **common)
        elif kind == "bpe":
            suffix = rng.choice([None, None, None, "</w>"])
            fallback = not suffix and rng.random() < 0.4  # with both tokenizers' offsets run away: the bytes of the suffix count
            unk = rng.choice([None, "<unk>", "<unk>"])
            t = Tokenizer(models.BPE(**({"unk_token": unk} if unk else {}), **({"end_of_word_suffix": suffix} if suffix else {}), fuse_unk=rng.random() < 0.5, byte_fallback=fallback, ignore_merges=rng.random() < 0.2))
            pre = self.set(t, rng.choice([self.metaspace, self.metaspace, lambda: self.sequence(self.cut(), self.some(0.4, self.metaspace)), lambda: None, lambda: byte_level])())
            t.decoder = rng.choice([decoders.Metaspace("▁", "always"), decoders.BPEDecoder(), decoders.ByteLevel() if pre is byte_level else decoders.Metaspace("▁", "never"),
                                    decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])])
            special = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
            trainer = trainers.BpeTrainer(special_tokens=special, limit_alphabet=rng.choice([60, 200]), **({"end_of_word_suffix": suffix} if suffix else {}), **common)
        elif kind == "unigram":
            t = Tokenizer(models.Unigram())
            pre = self.set(t, rng.choice([self.metaspace, self.metaspace, lambda: self.sequence(self.cut(), self.some(0.6, self.metaspace)), lambda: byte_level])())
            t.decoder = rng.choice([decoders.Metaspace("▁", rng.choice(["always", "never"])), decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])])
            trainer = trainers.UnigramTrainer(special_tokens=["<unk>"], unk_token="<unk>", **common)
        else:
            whole = kind == "wordlevel"
            t = Tokenizer(models.WordLevel(unk_token="[UNK]") if whole else models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=rng.choice([8, 100])))
            pre = self.set(t, rng.choice([pre_tokenizers.BertPreTokenizer, pre_tokenizers.Whitespace, lambda: self.sequence(self.cut(), self.some(0.4, self.cut))])())
            if rng.random() < 0.6:
                t.decoder = decoders.WordPiece(cleanup=rng.random() < 0.5)
            trainer = (trainers.WordLevelTrainer if whole else trainers.WordPieceTrainer)(special_tokens=["[UNK]"], **common)
        normalizer = self.normalizer()
        if normalizer:
            t.normalizer = normalizer
        try:
            t.train_from_iterator(lines, trainer)
        except BaseException:  # such as two spaces that become one, on which tokenizers panics
            return None
        self.added(t)
        frame = self.frame(t)
        if frame:
            t.post_processor = frame
        out = json.loads(t.to_str())
        if kind == "unigram" and rng.random() < 0.4:  # the trainer cannot say so
            out["model"]["byte_fallback"] = True
            out["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256) if rng.random() < 0.97]
            ids = {piece: i for i, (piece, _) in enumerate(out["model"]["vocab"])}
            for a in out["added_tokens"]:
                a["id"] = ids.setdefault(a["content"], len(ids))
            out["post_processor"] = None
        if kind == "unigram" and rng.random() < 0.1:
            out["model"]["unk_id"] = None
        return kind, out


def theirs(document, strings):
    """What tokenizers makes of each string, None where it panics."""
    full = Tokenizer.from_str(json.dumps(document))
    bare = Tokenizer.from_str(json.dumps({**document, "post_processor": None}))
    out = []
    for text in strings:
        try:
            bare.encode_special_tokens = True
            plain = bare.encode(text, add_special_tokens=False).ids
            bare.encode_special_tokens = False
            special = bare.encode(text, add_special_tokens=False)
            framed = full.encode(text).ids
            decoded = full.decode(special.ids, skip_special_tokens=False)
        except BaseException as e:
            if type(e).__name__ not in ("PanicException", "Exception"):
                raise
            out.append(None)
            continue
        places = [0]
        for c in text:
            places.append(places[-1] + len(c.encode()))
        out.append((plain, special.ids, [[places[min(a, len(text))], places[min(b, len(text))]] for a, b in special.offsets], framed, decoded))
    return out


def compared(kind, document):
    """What is compared: all but what tokenizers gets wrong by itself."""
    what = {"ids", "special", "spans", "frame", "decoded"}
    model = document["model"]
    whole = kind == "byte-level" and all(c in model["vocab"] for c in pre_tokenizers.ByteLevel.alphabet())
    whole = whole or model.get("byte_fallback") and all(f"<0x{b:02X}>" in model["vocab"] for b in range(256))
    if model["type"] == "BPE" and not model.get("unk_token") and not whole:  # it does not count the characters that it drops
        what -= {"spans"}
    normalizer = Tokenizer.from_str(json.dumps(document)).normalizer
    if normalizer and any(a["normalized"] and normalizer.normalize_str(a["content"]) != a["content"] for a in document["added_tokens"]):
        what -= {"decoded"}  # it writes such a token as the normalizer alters it
    return what


def runs_away(document, text):
    """Whether tokenizers' offsets are wrong: characters that a Precompiled drops at the beginning of a text still count."""
    return "Precompiled" in json.dumps(document["normalizer"]) and any(unicodedata.category(c) in ("Cc", "Cf") for c in text)


def ours(program, file, strings, ids):
    request = json.dumps({"texts": [base64.b64encode(s.encode()).decode() for s in strings], "ids": ids})
    done = subprocess.run([program, file], input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        return None, done.stderr.strip()
    return json.loads(done.stdout), None


def main(program, count, per, seed, folder):
    lines = corpus(folder)
    rng = random.Random(seed)
    texts_compared, bad, refused, kinds = 0, collections.Counter(), collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        for n in range(count):
            maker, made = Maker(f"{seed} {n}", lines), None
            while made is None:
                made = maker.make()
            kind, document = made
            file = Path(tmp) / "tokenizer.json"
            file.write_text(json.dumps(document))
            strings = texts(f"{seed} {n}", per + 10, lines)[10:]
            want = theirs(document, strings)
            strings, want = [s for s, w in zip(strings, want) if w], [w for w in want if w]
            got, error = ours(program, file, strings, [w[1] for w in want])
            kinds[kind] += 1
            checked = compared(kind, document)
            if got is None:
                refused[error.split("tokenizer.json: ")[-1][:90]] += 1
                continue
            written = Path(tmp) / "written.json"
            subprocess.run([program, file, "json", written], check=True)
            for text, again, w in zip(strings, theirs(json.loads(written.read_text()), strings), want):
                if again is None or (again[0], again[1], again[3]) != (w[0], w[1], w[3]):
                    bad["written"] += 1
                    if bad["written"] <= 4:
                        print(f"{kind} written: {text!r}\n  want {w!r}\n  got  {again!r}", flush=True)
            for i, (text, (plain, special, spans, framed, decoded)) in enumerate(zip(strings, want)):
                texts_compared += 1
                back = base64.b64decode(got["texts"][i] or "").decode(errors="replace")
                frame = got["before"] + got["special"][i] + got["after"]
                for what, a, b in (("ids", plain, got["ids"][i]), ("special", special, got["special"][i]), ("spans", spans, got["spans"][i]),
                                   ("frame", framed, frame), ("decoded", decoded, back)):
                    if what in checked and a != b and not (what == "spans" and runs_away(document, text)):
                        bad[what] += 1
                        if bad[what] <= 4:
                            keep = Path(tempfile.gettempdir()) / f"generated-{seed}-{n}.json"
                            keep.write_text(json.dumps(document))
                            print(f"{keep} {kind} {what}: {text!r}\n  want {a!r}\n  got  {b!r}", flush=True)
    for error, n in refused.most_common():
        print(f"  {n} refused: {error}")
    print(f"{sum(kinds.values())} tokenizers ({', '.join(f'{n} {k}' for k, n in kinds.items())}), {texts_compared} texts, seed {seed}: "
          f"{sum(refused.values())} refused, {dict(bad) or 0} differ")
    return 1 if bad else 0


def golden(file):
    """Forty small tokenizers and what theirs makes of a few texts."""
    lines, cases = corpus(""), []
    for n in range(60):
        made = Maker(f"golden {n}", lines, small=True).make()
        if made is None or len(json.dumps(made[1])) > 40000:
            continue
        kind, document = made
        strings = [t[:80] for t in texts(f"golden {n}", 22, lines)[10:]]
        results = []
        for text, want in zip(strings, theirs(document, strings)):
            if want:
                names = dict(zip(("ids", "special", "spans", "frame", "decoded"), want))
                results.append({"text": text, **{k: v for k, v in names.items() if k in compared(kind, document) and not (k == "spans" and runs_away(document, text))}})
        cases.append({"kind": kind, "tokenizer": document, "results": results})
        if len(cases) == 40:
            break
    with gzip.GzipFile(file, "w", mtime=0) as f:
        f.write(json.dumps(cases).encode())


def charsmap(small):
    """The precompiled_charsmap of nmt_nfkc_cf, or one of a few rules, in base64."""
    options = dict(normalization_rule_name="nmt_nfkc_cf")
    if small:
        rules = Path(tempfile.gettempdir()) / "rules.tsv"
        rules.write_text("".join(f"{' '.join(f'{ord(c):X}' for c in a)}\t{' '.join(f'{ord(c):X}' for c in b)}\n" for a, b in
                                 [("ﬁ", "fi"), ("Ａ", "a"), ("\u3000", " "), ("e\u0301", "é"), ("\u200b", ""), ("½", "1/2"), ("A", "a"), ("①", "1")]))
        options = dict(normalization_rule_tsv=str(rules))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c"] * 10), model_writer=model, minloglevel=2, vocab_size=8, hard_vocab_limit=False, **options)

    def field(data, number):
        at = 0
        while at < len(data):
            key, at = varint(data, at)
            size, at = varint(data, at) if key & 7 == 2 else (0, at)
            if key >> 3 == number:
                return data[at:at + size]
            at += size if key & 7 == 2 else 4 if key & 7 == 5 else varint(data, at)[1] - at

    def varint(data, at):
        n = shift = 0
        while True:
            n |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                return n, at

    return base64.b64encode(field(field(model.getvalue(), 3), 2)).decode()


CHARSMAP = charsmap(sys.argv[1] == "golden")
if __name__ == "__main__":
    if sys.argv[1] == "golden":
        golden(sys.argv[2])
        sys.exit()
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]))
