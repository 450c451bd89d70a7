"""Runs gotrain and PyTorch in turn on the model of scripts/bench/lstm.sh and prints a table.

    lstm.py BINARY ROUNDS SECONDS lstm|gru      the table; each measurement is a process of its own
    lstm.py torch PRECISION SECONDS lstm|gru    one JSON object of PyTorch's side

Of each side the best round counts. In rows of bfloat16 "best" is PyTorch's best of any precision.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median

VOCAB, WIDTH, LAYERS, BATCH, LENGTH = 4096, 512, 2, 16, 128


def torch_side(precision, seconds, kind):
    import torch

    torch.set_num_threads(int(os.environ.get("THREADS", "2")))
    torch.manual_seed(0)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            rnn = torch.nn.GRU if kind == "gru" else torch.nn.LSTM
            self.emb, self.rnn = torch.nn.Embedding(VOCAB, WIDTH), rnn(WIDTH, WIDTH, LAYERS, batch_first=True)
            self.head = torch.nn.Linear(WIDTH, VOCAB, bias=False)

        def forward(self, ids):
            return self.head(self.rnn(self.emb(ids))[0])

    model = Model()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)

    def step():
        ids = torch.randint(VOCAB, (BATCH, LENGTH + 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1).float(), ids[:, 1:].flatten())
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        return loss.item()

    for _ in range(3):
        step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        t = time.perf_counter()
        step()
        times.append(time.perf_counter() - t)
    print(json.dumps({"tokens_per_s": BATCH * LENGTH / median(times),
                      "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def gotrain(binary, precision, seconds, kind):
    with tempfile.TemporaryDirectory() as d:
        config = os.path.join(d, "lstm.yaml")
        with open(config, "w") as f:
            f.write(f"run: {{dir: {d}/run}}\n"
                    f"model: {{family: lstm, kind: {kind}, layers: {LAYERS}, width: {WIDTH}, context: {LENGTH}, vocab: {VOCAB}, tied: false, dropout: 0.0}}\n"
                    f"data: {{train: [{config}]}}\n"
                    f"train: {{batch: {BATCH}, sample: \"\"}}\n"
                    "optimizer: {kind: adamw, clip: 0, in_backward: true}\n")
        p = subprocess.Popen([binary, "bench", "--json", "--seconds", str(seconds), "--precision", precision, "--config", config], stdout=subprocess.PIPE)
        out = p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        if status:
            sys.exit(f"gotrain bench: status {status}")
        return {"tokens_per_s": json.loads(out)["steps"][0]["tokens_per_s"], "mib": usage.ru_maxrss / 1024}


def main():
    if sys.argv[1] == "torch":
        return torch_side(sys.argv[2], float(sys.argv[3]), sys.argv[4])
    binary, rounds, seconds, kind = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    best = {}
    for _ in range(rounds):
        for precision in ("float32", "bfloat16"):
            p = subprocess.run([sys.executable, __file__, "torch", precision, str(seconds), kind], check=True, stdout=subprocess.PIPE)
            for side, out in (("torch", json.loads(p.stdout)), ("gotrain", gotrain(binary, precision, seconds, kind))):
                b = best.setdefault((side, precision), dict(out))
                b["tokens_per_s"] = max(b["tokens_per_s"], out["tokens_per_s"])
                b["mib"] = min(b["mib"], out["mib"])
    print("| precision | gotrain tokens/s | PyTorch | × | × best | gotrain MiB | PyTorch MiB | × memory |")
    print("|---|---|---|---|---|---|---|---|")
    most = max(best["torch", p]["tokens_per_s"] for p in ("float32", "bfloat16"))
    for precision in ("float32", "bfloat16"):
        g, t = best["gotrain", precision], best["torch", precision]
        ours, theirs = g["tokens_per_s"], t["tokens_per_s"]
        of = theirs if precision == "float32" else most
        print(f"| {precision} | {ours:.0f} | {theirs:.0f} | {ours / theirs:.2f} | {ours / of:.2f} | {g['mib']:.0f} | {t['mib']:.0f} | {g['mib'] / t['mib']:.2f} |")


main()
