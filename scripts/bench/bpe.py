"""The Python side of bpe.sh: what tokenizers, tiktoken and gigatoken need for the same work; prints one JSON object.

    bpe.py list DIR MEGABYTES OUT           lists valid UTF-8 .go files of DIR, up to that size (0: all)
    bpe.py train LIST VOCAB PATTERN OUT
    bpe.py encode RANKS TEXT THREADS        RANKS is NAME.tiktoken
    bpe.py giga RANKS TEXT THREADS          likewise by gigatoken
    bpe.py compare A B                      are two tokenizer.json the same model?
    bpe.py table GO_BINARY GOROOT_SRC all|encode FOLDER TEXT...    runs all sides and prints the table
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
    parts = in_parts(content, threads)
    if threads == "1":
        best, _, encoded = timed(3, time.process_time, lambda: [enc.encode_ordinary(content)])
    else:
        best, _, encoded = timed(3, time.perf_counter, lambda: enc.encode_ordinary_batch(parts, num_threads=int(threads)))
    ids = [i for part in encoded for i in part]
    crc = zlib.crc32(b"".join(i.to_bytes(4, "little") for i in ids))
    return {"mb_per_s": len(content.encode()) / 1e6 / best, "tokens": len(ids), "crc": crc}


def giga(ranks, text, threads):
    os.environ["RAYON_NUM_THREADS"] = threads
    import gigatoken
    import numpy
    tok = gigatoken.Tokenizer.from_tiktoken(ranks)
    with open(text, "rb") as f:
        content = f.read()
    if threads == "1":
        best, first, ids = timed(15, time.process_time, lambda: tok.encode(content))
    else:
        parts = [part.encode() for part in in_parts(content.decode(), threads)]
        best, first, encoded = timed(15, time.perf_counter, lambda: tok.encode_batch(parts, parallel=True))
        ids = numpy.concatenate([numpy.asarray(part) for part in encoded])
    size = len(content) / 1e6
    return {"mb_per_s": size / best, "first": size / first, "tokens": len(ids), "crc": zlib.crc32(ids.astype("<u4").tobytes())}


def in_parts(content, threads):
    """What several threads share: a text cut at line ends, as users of batches do."""
    if threads == "1":
        return [content]
    lines, per = content.splitlines(keepends=True), 2000
    return ["".join(lines[i:i + per]) for i in range(0, len(lines), per)]


def timed(rounds, clock, work):
    """Returns the shortest and the first time of work and what it gave."""
    seconds = []
    for _ in range(rounds):
        start = clock()
        result = work()
        seconds.append(clock() - start)
    return min(seconds), seconds[0], result


def compare(a, b):
    a, b = (json.load(open(p))["model"] for p in (a, b))
    return {"identical": a["vocab"] == b["vocab"] and a["merges"] == b["merges"]}


def side(*command):
    """Runs one side as a process of its own and returns what it printed."""
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def row(work, ours, theirs, unit, ratio, same):
    print(f"{work:48} {ours:>9} {theirs:>9} {unit:5} {ratio:6.2f}x  {'same' if same else 'DIFFERENT'}", flush=True)


def table(binary, source, what, folder, *texts):
    if what == "all":
        training(binary, source, folder)
    go = f"{folder}/Go source"
    list_files(source, "20", f"{folder}/list")
    with open(f"{folder}/list") as f, open(go, "wb") as out:
        for line in f:
            with open(line.rstrip("\n"), "rb") as doc:
                out.write(doc.read())
    side(binary, "ranks", folder)
    for peer, verb in (("gigatoken", "giga"), ("tiktoken", "encode")):
        print(f"\n{'Encoding':48} {'gotrain':>9} {peer:>9}")
        for name in ("r50k_base", "cl100k_base", "o200k_base"):
            for path in (*texts, go):
                for threads in ("1", "2"):
                    encoding(binary, verb, f"{folder}/{name}.tiktoken", path, threads)


def encoding(binary, verb, ranks, path, threads):
    args = (ranks, path, threads)
    results = [(side(binary, "encode", *args), side(sys.executable, __file__, verb, *args))
               for _ in range(2 if verb == "giga" else 1)]
    ours, theirs = results[0]
    same = threads == "2" or (ours["tokens"], ours["crc"]) == (theirs["tokens"], theirs["crc"])
    work = f"{os.path.basename(path)}, {os.path.basename(ranks).split('_')[0]}, {threads} thread(s)"
    for key, title in (("mb_per_s", work), ("first", "    first")):
        if key in theirs:
            ours, theirs = (max(r[key] for r in one) for one in zip(*results))
            row(title, f"{ours:.0f}", f"{theirs:.0f}", "MB/s", ours / theirs, same)
            ours, theirs = results[0]


def training(binary, source, folder):
    print(f"{'BPE training, vocabulary 16,000':48} {'gotrain':>9} {'HF':>9}")
    for size in ("20", "0"):
        names = f"{folder}/list{size}"
        mb = list_files(source, size, names)["mb"]
        for pattern in ("gpt2", "gpt4") if size == "20" else ("gpt2",):
            outs = [f"{folder}/ours.json", f"{folder}/theirs.json"]
            ours = side(binary, "train", names, "16000", pattern, outs[0])
            theirs = side(sys.executable, __file__, "train", names, "16000", pattern, outs[1])
            same = compare(*outs)["identical"]
            for key, unit in (("seconds", "s"), ("peak_mib", "MiB")):
                row(f"{mb:.0f} MB Go source, {pattern}, {key}", f"{ours[key]:.2f}", f"{theirs[key]:.2f}", unit,
                    theirs[key] / ours[key], same)


if __name__ == "__main__":
    command = {"list": list_files, "train": train, "encode": encode, "giga": giga, "compare": compare, "table": table}[sys.argv[1]]
    result = command(*sys.argv[2:])
    if result is not None:
        print(json.dumps(result))
