"""Writes nn/zoo/testdata/perceiver_ar.json.gz: a tiny random Perceiver AR (Hawthorne et al. 2022) with the layers of a Llama,
with the fields of models.py; "config" is a config.json of gotrain.

    python scripts/golden/latent.py

It is computed as the paper has it, one window at a time: of the tokens so far the last ones, up to LATENTS of them, are the
latents. They attend to all of the window in the first layer, to each other in the others, and give the logits. A window
ends at each multiple of LATENTS and at the end of the row, so that every token is a latent once.
"""

import base64
import gzip
import json
import math
import pathlib

import torch
import torch.nn.functional as F

BATCH, LENGTH, LATENTS, VOCAB = 1, 160, 64, 37
WIDTH, HEADS, LAYERS, FFN, EPS, THETA = 16, 2, 3, 24, 1e-5, 500.0
HD = WIDTH // HEADS


def rotate(x, pos):
    """Rotary positions of x (B, H, S, hd), whose last token stands at the end of a window of pos tokens."""
    at = torch.arange(pos - x.shape[2], pos, dtype=torch.float64)[:, None] * THETA ** (-torch.arange(0, HD, 2, dtype=torch.float64) / HD)
    cos, sin = torch.cat([at.cos()] * 2, -1).float(), torch.cat([at.sin()] * 2, -1).float()  # at 159 a float32 angle is off by 8e-6
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def norm(x, w):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * w


def layer(w, name, latents, tokens, pos):
    """latents (B, N, D), the last of tokens (B, S, D), which end at pos: cross-attention to tokens, then the feed-forward layer."""
    p = f"model.layers.{name}."
    q_in, kv_in = norm(latents, w[p + "input_layernorm.weight"]), norm(tokens, w[p + "input_layernorm.weight"])
    split = lambda x, part: (x @ w[p + f"self_attn.{part}_proj.weight"].T).unflatten(-1, (HEADS, HD)).transpose(1, 2)
    q, k, v = rotate(split(q_in, "q"), pos), rotate(split(kv_in, "k"), pos), split(kv_in, "v")
    n, s = latents.shape[1], tokens.shape[1]
    later = torch.arange(s) > torch.arange(s - n, s)[:, None]
    scores = (q @ k.transpose(2, 3) / math.sqrt(HD)).masked_fill(later, -math.inf)
    x = latents + (scores.softmax(-1) @ v).transpose(1, 2).flatten(2) @ w[p + "self_attn.o_proj.weight"].T
    h = norm(x, w[p + "post_attention_layernorm.weight"])
    h = F.silu(h @ w[p + "mlp.gate_proj.weight"].T) * (h @ w[p + "mlp.up_proj.weight"].T)
    return x + h @ w[p + "mlp.down_proj.weight"].T


def window(w, ids, n):
    """Logits of the last n tokens of ids."""
    x = w["model.embed_tokens.weight"][ids]
    z = layer(w, 0, x[:, -n:], x, ids.shape[1])
    for i in range(1, LAYERS):
        z = layer(w, i, z, z, ids.shape[1])
    return norm(z, w["model.norm.weight"]) @ w["lm_head.weight"].T


def main():
    torch.manual_seed(3)
    shapes = {"model.embed_tokens.weight": (VOCAB, WIDTH), "model.norm.weight": (WIDTH,), "lm_head.weight": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        shapes |= {p + f"self_attn.{part}_proj.weight": (WIDTH, WIDTH) for part in "qkvo"}
        shapes |= {p + "mlp.gate_proj.weight": (FFN, WIDTH), p + "mlp.up_proj.weight": (FFN, WIDTH), p + "mlp.down_proj.weight": (WIDTH, FFN)}
        shapes |= {p + "input_layernorm.weight": (WIDTH,), p + "post_attention_layernorm.weight": (WIDTH,)}
    draw = lambda s: 1 + 0.2 * torch.randn(s) if len(s) == 1 else 0.25 * torch.randn(s)
    weights = {n: draw(s).bfloat16().float().requires_grad_() for n, s in shapes.items()}
    ids, targets = torch.randint(VOCAB, (BATCH, LENGTH)), torch.randint(VOCAB, (BATCH, LENGTH))
    ends = [*range(LATENTS, LENGTH, LATENTS), LENGTH]
    logits = torch.cat([window(weights, ids[:, :end], (end - 1) % LATENTS + 1) for end in ends], 1)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()

    def tensor(x):
        return {"shape": list(x.shape), "data": base64.b64encode(x.detach().numpy().astype("<f4").tobytes()).decode()}

    config = {"family": "llama", "layers": LAYERS, "heads": HEADS, "width": WIDTH, "ffn": FFN, "context": LENGTH, "vocab": VOCAB, "norm_eps": EPS,
              "rope_theta": THETA, "attention": {"kind": "latent", "latents": LATENTS}}
    golden = {
        "config": {"model_type": "gotrain", "gotrain": config}, "batch": BATCH, "length": LENGTH, "ids": ids.flatten().tolist(), "targets": targets.flatten().tolist(),
        "logits": tensor(logits.flatten(0, 1)), "loss": loss.item(),
        "weights": {n: tensor(x) for n, x in weights.items()}, "grads": {n: tensor(x.grad) for n, x in weights.items()},
    }
    path = pathlib.Path(__file__).parent.parent.parent / "nn" / "zoo" / "testdata" / "perceiver_ar.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden).encode(), mtime=0))
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
