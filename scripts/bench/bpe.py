"""The Python side of bpe.sh: what tokenizers and tiktoken need for the same work; prints one JSON object.

    bpe.py list DIR MEGABYTES OUT           lists valid UTF-8 .go files of DIR, up to that size (0: all)
    bpe.py train LIST VOCAB PATTERN OUT
    bpe.py encode RANKS TEXT THREADS        RANKS is NAME.tiktoken
    bpe.py compare A B                      are two tokenizer.json the same model?
    bpe.py table GO_BINARY GOROOT_SRC TEXT FOLDER    runs both sides and prints the table
"""
import base64
import json
import os
import resource
import subprocess
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
            encoded = [enc.encode_ordinary(content)]
        else:
            encoded = enc.encode_ordinary_batch(parts, num_threads=int(threads))
        best = min(best, time.perf_counter() - start)
    ids = [i for part in encoded for i in part]
    crc = zlib.crc32(b"".join(i.to_bytes(4, "little") for i in ids))
    return {"mb_per_s": size / 1e6 / best, "tokens": len(ids), "crc": crc}


def compare(a, b):
    a, b = (json.load(open(p))["model"] for p in (a, b))
    return {"identical": a["vocab"] == b["vocab"] and a["merges"] == b["merges"]}


def side(*command):
    """Runs one side as a process of its own and returns what it printed."""
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def best(*results):
    return max(results, key=lambda r: r["mb_per_s"])


def table(binary, source, text, folder):
    def python(*args):
        return side(sys.executable, __file__, *args)

    def row(work, ours, theirs, unit, ratio, same):
        print(f"{work:44} {ours:>9} {theirs:>9} {unit:5} {ratio:6.1f}x  {'same' if same else 'DIFFERENT'}", flush=True)

    print(f"{'BPE training, vocabulary 16,000':44} {'gotrain':>9} {'HF':>9}")
    for size in ("20", "0"):
        names = f"{folder}/list{size}"
        mb = list_files(source, size, names)["mb"]
        for pattern in ("gpt2", "gpt4") if size == "20" else ("gpt2",):
            outs = [f"{folder}/ours.json", f"{folder}/theirs.json"]
            ours = side(binary, "train", names, "16000", pattern, outs[0])
            theirs = python("train", names, "16000", pattern, outs[1])
            same = compare(*outs)["identical"]
            for key, unit in (("seconds", "s"), ("peak_mib", "MiB")):
                row(f"{mb:.0f} MB Go source, {pattern}, {key}", f"{ours[key]:.2f}", f"{theirs[key]:.2f}", unit,
                    theirs[key] / ours[key], same)

    print(f"\n{'Encoding':44} {'gotrain':>9} {'tiktoken':>9}")
    with open(f"{folder}/list20") as f, open(f"{folder}/go.txt", "wb") as out:
        for line in f:
            with open(line.rstrip("\n"), "rb") as doc:
                out.write(doc.read())
    side(binary, "ranks", folder)
    for name in ("r50k_base", "cl100k_base", "o200k_base"):
        for what, path in ((os.path.basename(text), text), ("20 MB Go source", f"{folder}/go.txt")):
            single = None
            for threads in ("1", "2"):
                args = ("encode", f"{folder}/{name}.tiktoken", path, threads)
                ours, theirs = (best(*pair) for pair in zip(*((side(binary, *args), python(*args)) for _ in range(2))))
                same = (ours["tokens"], ours["crc"]) == (theirs["tokens"], theirs["crc"]) or threads == "2"
                row(f"{what}, {name}, {threads} thread(s)", f"{ours['mb_per_s']:.1f}", f"{theirs['mb_per_s']:.1f}", "MB/s",
                    ours["mb_per_s"] / theirs["mb_per_s"], same and (single is None or single == ours["crc"]))
                if single is not None:
                    print(f"{'    two threads against one':44} {ours['against_one']:9.2f}")
                single = ours["crc"]


if __name__ == "__main__":
    command = {"list": list_files, "train": train, "encode": encode, "compare": compare, "table": table}[sys.argv[1]]
    result = command(*sys.argv[2:])
    if result is not None:
        print(json.dumps(result))
