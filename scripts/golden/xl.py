"""Writes the golden values of nn/xl/testdata: tiny random Transformer-XLs of Hugging Face's transformers, which version 5
no longer has, with what they tell of four segments in a row, what they remember then, and the gradients of the last.

    python scripts/golden/xl.py        with transformers 4.33, in an environment of its own

Each file is gzipped JSON: "config" are the keys of our model section, "ids" and "targets" (segments, batch, length),
"logits" those of all segments, "memories" (layers, batch, memory, width) what is there after the last, "loss" the mean of
the last in nats, whose gradients "grads" are. Tensors are {"shape", "data"}, data being little-endian float32 in base64.
Weights have our names: qkv_net is split in three. They are rounded to bfloat16 so that the files compress.
"""

import base64
import gzip
import json
import pathlib

import torch
import torch.nn.functional as F
from transformers.models.transfo_xl import TransfoXLConfig, TransfoXLLMHeadModel

BATCH, LENGTH, MEMORY, SEGMENTS, VOCAB = 2, 4, 6, 4, 23
TINY = dict(vocab_size=VOCAB, cutoffs=[], div_val=1, d_model=12, d_embed=12, n_head=2, d_head=6, d_inner=20, n_layer=3, mem_len=MEMORY, clamp_len=-1,
            dropout=0.0, dropatt=0.0, untie_r=True, adaptive=False, tie_word_embeddings=True, tie_projs=[])
MODELS = {"post": dict(pre_lnorm=False, same_length=False), "pre": dict(pre_lnorm=True, same_length=False), "same_length": dict(pre_lnorm=True, same_length=True)}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().numpy().astype("<f4").tobytes()).decode()}


def split(name, x):
    """Our tensors of one of transformers'."""
    if name.endswith("qkv_net.weight"):
        return {name.replace("qkv_net", f"{part}_net"): y for part, y in zip("qkv", x.chunk(3))}
    return {name: x}


def ours(named):
    return {n: tensor(y) for name, x in named for n, y in split(name, x).items() if not name.startswith("crit")}


for name, kind in MODELS.items():
    torch.manual_seed(7)
    model = TransfoXLLMHeadModel(TransfoXLConfig(**TINY, **kind)).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            x = 1 + 0.2 * torch.randn(p.shape) if (p == 1).all() else 0.3 * torch.randn(p.shape)
            p.copy_((0 * x if key.startswith("crit") and key.endswith("bias") else x).bfloat16().float())
    ids, targets = torch.randint(0, VOCAB, (2, SEGMENTS, BATCH, LENGTH))
    mems, logits = None, []
    for segment in range(SEGMENTS):
        out = model.transformer(ids[segment], mems=mems)
        mems = out.mems
        logits.append(out.last_hidden_state @ model.transformer.word_emb.emb_layers[0].weight.T)
    loss = F.cross_entropy(logits[-1].flatten(0, 1), targets[-1].flatten())
    loss.backward()
    golden = {
        "config": {"layers": 3, "heads": 2, "head_dim": 6, "width": 12, "ffn": 20, "context": LENGTH, "memory": MEMORY, "vocab": VOCAB,
                   "pre_norm": kind["pre_lnorm"], "same_length": kind["same_length"]},
        "batch": BATCH, "length": LENGTH, "ids": ids.flatten().tolist(), "targets": targets.flatten().tolist(),
        "logits": tensor(torch.stack(logits)), "memories": tensor(torch.stack(mems).transpose(1, 2)), "loss": loss.item(),
        "weights": ours(model.named_parameters()), "grads": ours((n, p.grad) for n, p in model.named_parameters() if p.grad is not None),
    }
    path = pathlib.Path(__file__).parent.parent.parent / f"nn/xl/testdata/{name}.json.gz"
    with open(path, "wb") as f, gzip.GzipFile("", "wb", fileobj=f, mtime=0) as z:
        z.write(json.dumps(golden).encode())
