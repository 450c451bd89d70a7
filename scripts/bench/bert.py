"""Runs gotrain and PyTorch in turn on the model of scripts/bench/bert.sh and prints a table.

    bert.py BINARY ROUNDS SECONDS      the table; each measurement is a process of its own
    bert.py torch PRECISION SECONDS    one JSON object of PyTorch's side

gotrain trains on Newton's Opticks, PyTorch on random tokens: the arithmetic is the same. Of each side the best round
counts. In rows of bfloat16 "best" is PyTorch's best of any precision.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median

VOCAB, WIDTH, LAYERS, HEADS, BATCH, LENGTH, ASKED = 30522, 256, 4, 4, 32, 128, 20


def torch_side(precision, seconds):
    import torch
    import torch.nn as nn

    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    torch.manual_seed(0)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.pos, self.kind, self.norm = nn.Embedding(VOCAB, WIDTH), nn.Embedding(LENGTH, WIDTH), nn.Embedding(2, WIDTH), nn.LayerNorm(WIDTH)
            layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True)
            self.core = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
            self.head, self.bias = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.LayerNorm(WIDTH)), nn.Parameter(torch.zeros(VOCAB))

        def forward(self, ids, where):
            x = self.core(self.norm(self.emb(ids) + self.pos.weight + self.kind.weight[0]))
            x = x.gather(1, where[:, :, None].expand(-1, -1, WIDTH))
            return self.head(x) @ self.emb.weight.T + self.bias

    model = Model()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)

    def step():
        where, ids = torch.rand(BATCH, LENGTH).argsort(1)[:, :ASKED], torch.randint(1000, VOCAB, (BATCH, LENGTH))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = nn.functional.cross_entropy(model(ids.scatter(1, where, 103), where).flatten(0, 1).float(), ids.gather(1, where).flatten())
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)

    for _ in range(3):
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        t = time.perf_counter()
        step()
        times.append(time.perf_counter() - t)
    print(json.dumps({"tokens_per_s": BATCH * LENGTH / median(times), "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def gotrain(binary, precision, seconds):
    steps = max(8, int(3 * seconds))
    with tempfile.TemporaryDirectory() as d:
        config = os.path.join(d, "bert.yaml")
        with open(config, "w") as f:
            f.write(f"run: {{dir: {d}/run}}\nprecision: {precision}\nrecipe: {{kind: mlm, rate: {ASKED / (LENGTH - 2) - 1e-4:.4f}}}\n"
                    f"model: {{family: bert, layers: {LAYERS}, heads: {HEADS}, width: {WIDTH}, context: {LENGTH}, vocab: {VOCAB}}}\n"
                    "tokenizer: {kind: wordpiece, vocab: 4096}\n"
                    f"data: {{train: [\"$GOROOT/src/testdata/Isaac.Newton-Opticks.txt\"], cache_dir: {d}/cache}}\n"
                    f"train: {{steps: {steps}, batch: {BATCH}, save_every: 0, sample: \"\", max_skips: 0}}\n"
                    "optimizer: {kind: adamw, clip: 0, in_backward: true}\n")
        p = subprocess.Popen([binary, "pretrain", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        err = p.stderr.read().decode()
        _, status, usage = os.wait4(p.pid, 0)
        if status:
            sys.exit(f"gotrain pretrain: {err}")
        rows = [json.loads(line) for line in open(f"{d}/run/metrics.jsonl")]
        return {"tokens_per_s": median(r["tokens_per_s"] for r in rows[3:] if r["split"] == "train"), "mib": usage.ru_maxrss / 1024}


def main():
    if sys.argv[1] == "torch":
        return torch_side(sys.argv[2], float(sys.argv[3]))
    binary, rounds, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    best = {}
    for _ in range(rounds):
        for precision in ("float32", "bfloat16"):
            p = subprocess.run([sys.executable, __file__, "torch", precision, str(seconds)], check=True, stdout=subprocess.PIPE)
            for side, out in (("torch", json.loads(p.stdout)), ("gotrain", gotrain(binary, precision, seconds))):
                b = best.setdefault((side, precision), dict(out))
                b["tokens_per_s"], b["mib"] = max(b["tokens_per_s"], out["tokens_per_s"]), min(b["mib"], out["mib"])
    print("| precision | gotrain tokens/s | PyTorch | × | × best | gotrain MiB | PyTorch MiB | × memory |")
    print("|---|---|---|---|---|---|---|---|")
    most = max(best["torch", p]["tokens_per_s"] for p in ("float32", "bfloat16"))
    for precision in ("float32", "bfloat16"):
        g, t = best["gotrain", precision], best["torch", precision]
        ours, theirs = g["tokens_per_s"], t["tokens_per_s"]
        of = theirs if precision == "float32" else most
        print(f"| {precision} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {ours / of:.2f} | {g['mib']:.0f} | {t['mib']:.0f} | {g['mib'] / t['mib']:.2f} |")


main()
