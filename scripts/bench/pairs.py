"""Training steps of an encoder and a decoder in gotrain and in PyTorch.

    pairs.py compare GOTRAIN ROUNDS SECONDS    table, each side in turn, one process a measurement
    pairs.py torch PRECISION SECONDS           one JSON object

Vaswani's Transformer, 3 + 3 layers, width 256, 4 heads, 1024 in the feed-forward layers, a
shared vocabulary of 4096, no dropout; 32 pairs of 32 + 32 tokens a step, of which tokens
count both sides. A step is forward, backward and AdamW, which PyTorch fuses. The median of
the steps after the first ten counts.
"""

import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BATCH, LENGTH, VOCAB, WIDTH, LAYERS, HEADS = 32, 32, 4096, 256, 3, 4
CONFIG = """
run: {{dir: {dir}/run}}
device: cpu
precision: {precision}
recipe: {{kind: seq2seq, translations: 0}}
model: {{family: seq2seq, layers: {layers}, heads: {heads}, width: {width}, context: {length}, vocab: {vocab}}}
tokenizer: {{kind: bytes}}
data: {{format: pairs, train: [{dir}/pairs.tsv], pairs: {{packing: false}}}}
train: {{steps: {steps}, batch: {batch}, eval_every: 0, save_every: 0, max_skips: 0}}
optimizer: {{kind: adamw, lr: 3e-4, clip: 0}}
"""


def ours(gotrain, precision, seconds):
    with tempfile.TemporaryDirectory() as tmp:
        draw = random.Random(1)
        side = lambda n: "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(n))
        rows = [f"{side(LENGTH)}\t{side(LENGTH - 1)}" for _ in range(4096)]  # a target ends with one token more
        pathlib.Path(tmp, "pairs.tsv").write_text("source\ttarget\n" + "\n".join(rows) + "\n")
        steps = 30
        while True:
            text = CONFIG.format(dir=tmp, precision=precision, layers=LAYERS, heads=HEADS, width=WIDTH, length=LENGTH, vocab=VOCAB, steps=steps, batch=BATCH)
            pathlib.Path(tmp, "c.yaml").write_text(text)
            subprocess.run(["rm", "-rf", tmp + "/run"], check=True)
            began = time.perf_counter()
            p = subprocess.Popen([gotrain, "pretrain", "--config", tmp + "/c.yaml", "--resume", "none"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            errors = p.stderr.read()
            _, status, usage = os.wait4(p.pid, 0)
            if status:
                raise SystemExit(errors)
            ms = [r["step_ms"] for r in map(json.loads, open(tmp + "/run/metrics.jsonl")) if r["split"] == "train"][10:]
            if time.perf_counter() - began >= seconds / 2:
                return dict(per_s=2e3 * BATCH * LENGTH / statistics.median(ms), mib=usage.ru_maxrss // 1024)
            steps = int(steps + seconds * 1e3 / statistics.median(ms))


def theirs(precision, seconds):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.places = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.core = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, 4 * WIDTH, dropout=0.0, batch_first=True)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))
            nn.init.normal_(self.table.weight, std=0.02)

        def forward(self, source, target):
            p = self.places.weight
            return self.core(self.table(source) + p, self.table(target) + p, tgt_mask=self.mask, tgt_is_causal=True) @ self.table.weight.T

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 15:
        began = time.perf_counter()
        source, target = torch.randint(VOCAB, (BATCH, LENGTH)), torch.randint(VOCAB, (BATCH, LENGTH + 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(source, target[:, :-1])
        F.cross_entropy(logits.flatten(0, 1).float(), target[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        times.append(time.perf_counter() - began)
    return dict(per_s=2 * BATCH * LENGTH / statistics.median(times[10:]), mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def compare(gotrain, rounds, seconds):
    print("| precision | gotrain tokens/s | PyTorch | × | gotrain MiB | PyTorch | × |\n|---|---|---|---|---|---|---|")
    for precision in ("float32", "bfloat16"):
        us, them = [], []
        for _ in range(rounds):
            us.append(ours(gotrain, precision, seconds))
            p = subprocess.run([sys.executable, __file__, "torch", precision, str(seconds)], stdout=subprocess.PIPE, text=True, check=True)
            them.append(json.loads(p.stdout.splitlines()[-1]))
        a, b = (statistics.median(x["per_s"] for x in side) for side in (us, them))
        m, n = (max(x["mib"] for x in side) for side in (us, them))
        print(f"| {precision} | {a:.0f} | {b:.0f} | {a / b:.2f} | {m} | {n} | {m / n:.2f} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        print(json.dumps(theirs(sys.argv[2], float(sys.argv[3]))))
    else:
        compare(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
