"""The Python side of bench_bpe.sh: what tokenizers and tiktoken need for the same work; prints one JSON object.

    bench_bpe.py list DIR MEGABYTES OUT           lists valid UTF-8 .go files of DIR, up to that size (0: all)
    bench_bpe.py train LIST VOCAB PATTERN OUT
    bench_bpe.py encode RANKS TEXT THREADS        RANKS is NAME.tiktoken
    bench_bpe.py compare A B                      are two tokenizer.json the same model?
    bench_bpe.py ranks TOKENIZER OUT              writes the ranks of a tokenizer.json as .tiktoken
"""
import base64
import json
import os
import resource
import sys
import time
import zlib

CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PATTERNS = {"gpt4": CL100K, "o200k": O200K}


def list_files(folder, megabytes, out):
    limit, total, names = float(megabytes) * 1e6 or float("inf"), 0, []
    for root, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            path = os.path.join(root, name)
            if not name.endswith(".go") or total >= limit:
                continue
            with open(path, "rb") as f:
                data = f.read()
            try:
                data.decode()
            except UnicodeDecodeError:
                continue
            names.append(path)
            total += len(data)
    with open(out, "w") as f:
        f.write("\n".join(names) + "\n")
    return {"files": len(names), "mb": total / 1e6}


def train(names, vocab, pattern, out):
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    tok = Tokenizer(models.BPE())
    if pattern == "gpt2":
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tok.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(PATTERNS[pattern]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(vocab_size=int(vocab), special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())

    def documents():
        with open(names) as f:
            for line in f:
                with open(line.rstrip("\n"), "rb") as doc:
                    yield doc.read().decode()

    start = time.perf_counter()
    tok.train_from_iterator(documents(), trainer)
    seconds = time.perf_counter() - start
    tok.save(out)
    return {"seconds": seconds, "vocab": tok.get_vocab_size(),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def encode(ranks, text, threads):
    import tiktoken
    import tiktoken_ext.openai_public as public
    name = os.path.basename(ranks).removesuffix(".tiktoken")
    with open(ranks) as f:
        table = {base64.b64decode(t): int(r) for t, r in (line.split() for line in f)}
    public.load_tiktoken_bpe = lambda *a, **k: table
    enc = tiktoken.Encoding(**{k: v for k, v in public.ENCODING_CONSTRUCTORS[name]().items() if k != "explicit_n_vocab"})
    with open(text, "rb") as f:
        content = f.read().decode()
    size, parts = len(content.encode()), [content]
    if int(threads) > 1:  # cut at line ends, as users of encode_ordinary_batch do
        lines, per = content.splitlines(keepends=True), 2000
        parts = ["".join(lines[i:i + per]) for i in range(0, len(lines), per)]
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        if int(threads) == 1:
            ids = enc.encode_ordinary(content)
        else:
            ids = sum(enc.encode_ordinary_batch(parts, num_threads=int(threads)), [])
        best = min(best, time.perf_counter() - start)
    crc = zlib.crc32(b"".join(i.to_bytes(4, "little") for i in ids))
    return {"mb_per_s": size / 1e6 / best, "tokens": len(ids), "crc": crc}


def compare(a, b):
    a, b = (json.load(open(p))["model"] for p in (a, b))
    return {"identical": a["vocab"] == b["vocab"] and a["merges"] == b["merges"]}


if __name__ == "__main__":
    command = {"list": list_files, "train": train, "encode": encode, "compare": compare}[sys.argv[1]]
    print(json.dumps(command(*sys.argv[2:])))
