"""The PyTorch side of scripts/bench/pytorch.sh: one measurement a process.

    pytorch.py train 0.8m|12m|124m eager|compile float32|bfloat16 SECONDS
    pytorch.py decode TOKENS

Prints one JSON object. A step is forward, backward and fused AdamW without
clipping, as `gotrain bench` takes it; the model is GPT-2 with tied embeddings,
scaled_dot_product_attention and tanh GELU.
"""

import json
import os
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIGS = {
    "0.8m": dict(layers=4, heads=4, width=128, context=64, batch=12, vocab=65, positions=64),
    "12m": dict(layers=6, heads=6, width=384, context=256, batch=16, vocab=4096, positions=256),
    "124m": dict(layers=12, heads=12, width=768, context=64, batch=4, vocab=50257, positions=64),
}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln_1(x)).split(d, 2)
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["width"]
        self.wte, self.wpe = nn.Embedding(c["vocab"], d), nn.Embedding(c["positions"], d)
        self.blocks = nn.ModuleList(Block(d, c["heads"]) for _ in range(c["layers"]))
        self.ln_f = nn.LayerNorm(d)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.ln_f(x) @ self.wte.weight.T
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def train(name, mode, precision, seconds):
    c = CONFIGS[name]
    model = GPT(c)
    opt = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
    forward = torch.compile(model) if mode == "compile" else model
    bf16 = precision == "bfloat16"

    def step():
        ids = torch.randint(c["vocab"], (c["batch"], c["context"] + 1))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = forward(ids[:, :-1], ids[:, 1:])
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
    times.sort()
    tokens = c["batch"] * c["context"]
    return {"tokens_per_s": tokens / times[len(times) // 2], "best_tokens_per_s": tokens / times[0], "steps": len(times)}


def decode(tokens):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(GPT2Config()).eval()
    ids = torch.randint(50257, (1, 8))
    with torch.no_grad():
        out = model(ids, use_cache=True)
        times = []
        for _ in range(tokens):
            t = time.perf_counter()
            out = model(out.logits[:, -1:].argmax(-1), past_key_values=out.past_key_values, use_cache=True)
            times.append(time.perf_counter() - t)
    times.sort()
    return {"tokens_per_s": 1 / times[len(times) // 2], "best_tokens_per_s": 1 / times[0]}


torch.set_num_threads(int(os.environ.get("THREADS", "2")))
torch.manual_seed(0)
if sys.argv[1] == "train":
    result = train(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]))
else:
    result = decode(int(sys.argv[2]))
result["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps(result))
