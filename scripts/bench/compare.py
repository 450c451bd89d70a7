"""Runs gotrain and PyTorch one after the other and prints the table of
scripts/bench/pytorch.sh. Each measurement is a process of its own, so that its
peak resident memory is its own; both sides are measured in turn, `rounds`
times, and the best of each counts.

    compare.py BINARY ROUNDS SECONDS [train] [decode]
"""

import json
import os
import subprocess
import sys

BINARY, ROUNDS, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
WHAT = sys.argv[4:] or ["train", "decode"]
TORCH = [sys.executable, "scripts/bench/pytorch.py"]
CONFIGS = [("0.8m", "0.8m"), ("12m", "12.3m"), ("124m", "124m")]  # PyTorch's name, gotrain's


def run(command):
    """Returns the JSON that command prints and its peak resident memory in MiB."""
    p = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    if status:
        return None, 0
    return json.loads(out), usage.ru_maxrss / 1024


class Best:
    def __init__(self):
        self.speed, self.memory = 0.0, float("inf")

    def add(self, speed, memory):
        self.speed, self.memory = max(self.speed, speed), min(self.memory, memory)


def torch(*args):
    out, memory = run(TORCH + list(args))
    return (out["tokens_per_s"], memory) if out else (0.0, float("inf"))


def gotrain(*args):
    out, memory = run([BINARY, "bench", "--json", "--seconds", SECONDS, *args])
    return out, memory


def training():
    print("| configuration | precision | gotrain tokens/s | PyTorch eager | compiled | × eager | × best | gotrain MiB | PyTorch MiB | × memory |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for theirs, ours in CONFIGS:
        results = {}
        for _ in range(ROUNDS):
            for precision in ("float32", "bfloat16"):
                out, memory = gotrain(f"--step={ours}", "--precision", precision)
                results.setdefault(("gotrain", precision), Best()).add(out["steps"][0]["tokens_per_s"], memory)
                for mode in ("eager", "compile"):
                    results.setdefault((mode, precision), Best()).add(*torch("train", theirs, mode, precision, SECONDS))
        everything = max(results[m, p].speed for m in ("eager", "compile") for p in ("float32", "bfloat16"))
        for precision in ("float32", "bfloat16"):
            g, eager, compiled = (results[m, precision] for m in ("gotrain", "eager", "compile"))
            best = max(eager.speed, compiled.speed) if precision == "float32" else everything
            memory = min(eager.memory, compiled.memory)
            print(f"| {ours} | {precision} | {g.speed:.0f} | {eager.speed:.0f} | {compiled.speed:.0f} | {g.speed / eager.speed:.2f} | "
                  f"{g.speed / best:.2f} | {g.memory:.0f} | {memory:.0f} | {g.memory / memory:.2f} |", flush=True)


def decoding():
    g, t = Best(), Best()
    for _ in range(ROUNDS):
        out, memory = gotrain("--decode")
        g.add(out["decode"]["tokens_per_s"], memory)
        t.add(*torch("decode", 40))
    print("\n| single-token decoding, 124M, KV cache | gotrain tokens/s | transformers | ratio |")
    print("|---|---|---|---|")
    print(f"| float32 | {g.speed:.1f} | {t.speed:.1f} | {g.speed / t.speed:.2f} |")


if "train" in WHAT:
    training()
if "decode" in WHAT:
    decoding()
