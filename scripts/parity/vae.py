"""The evidence lower bound of a VAE of gotrain and of a twin in PyTorch: see vae.sh.

    vae.py FIRST OURS    runs of gotrain: one that has not moved from its first weights, and one that has learnt
"""

import gzip
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file

torch.set_num_threads(int(os.environ.get("THREADS", len(os.sched_getaffinity(0)))))
torch.manual_seed(1)
TESTED = 2000


def digits(name):
    raw = gzip.open(f"build/pictures/mnist/{name}-images-idx3-ubyte.gz").read()
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28).copy()).float() / 255


def model(run):
    c = json.load(open(f"{run}/checkpoints/latest/config.json"))["gotrain"]
    levels = len(c["widths"])
    m = AutoencoderKL(in_channels=1, out_channels=1, latent_channels=c["latent"], block_out_channels=c["widths"], layers_per_block=c["layers"],
                      norm_num_groups=c["groups"], mid_block_add_attention=c["attention"], sample_size=28,
                      down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels)
    m.load_state_dict(load_file(f"{run}/checkpoints/latest/model.safetensors"))
    return m


def loss(m, x):
    """The negative bound in nats a picture."""
    of = m.encode(2 * x - 1).latent_dist
    y = m.decode(of.mean + of.std * torch.randn_like(of.mean)).sample
    kl = 0.5 * (of.mean**2 + of.logvar.exp() - of.logvar - 1).sum()
    return (F.binary_cross_entropy_with_logits(y, x, reduction="sum") + kl) / len(x)


@torch.no_grad()
def tested(m, x):
    torch.manual_seed(2)
    return sum(loss(m, part).item() for part in x.split(100)) / len(x.split(100))


first, ours = sys.argv[1:]
x, held = digits("train"), digits("t10k")[:TESTED]
rows = [r for r in map(json.loads, open(f"{ours}/metrics.jsonl")) if r["split"] == "train"]
batch = rows[0]["images"]
twin = model(first)
print(f"first weights: {tested(twin, held):.2f} nats a digit; gotrain {rows[0]['loss']:.2f} on its first digits", flush=True)
decayed = [p for p in twin.parameters() if p.dim() > 1]
optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": [p for p in twin.parameters() if p.dim() < 2], "weight_decay": 0}],
                              betas=(0.9, 0.99), fused=True)
order, began = torch.cat([torch.randperm(len(x)) for _ in range(1 + len(rows) * batch // len(x))]), time.process_time()
for i, row in enumerate(rows):
    for group in optimizer.param_groups:
        group["lr"] = row["lr"]
    loss(twin, x[order[i * batch:][:batch]]).backward()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 100)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
seconds = time.process_time() - began
a, b = tested(model(ours), held), tested(twin, held)
print(f"{len(rows)} steps of {batch}: gotrain {a:.2f}, PyTorch {b:.2f} nats a digit of the first {TESTED} to test, {100 * (a / b - 1):+.2f}%; PyTorch took {seconds:.0f} s of processor time")
if a > b * 1.01:
    sys.exit("gotrain's bound is more than 1% worse")
