"""Writes the golden values of nn/unet/testdata: tiny random UNet2DConditionModels of diffusers with what they tell of two
pictures, and gradients.

    python scripts/golden/unet.py        with diffusers 0.42.1 beside scripts/python/requirements.txt

Each file is gzipped JSON: "config" are the keys of our model section, "x" pictures (B, C, H, W), "times" (B), "context"
(B·L, D), "y" what the model tells, "loss" is Σ dy·y, whose gradients "grads" are, that of "dcontext" included. Tensors are
{"shape", "data"}, data being little-endian float32 in base64; weights are rounded to bfloat16 so that the files compress.
"""

import base64
import gzip
import json
import pathlib

import torch
from diffusers import UNet2DConditionModel

MODELS = {
    "v1": dict(channels=4, context=6, widths=[8, 12], layers=1, groups=4, heads=[2]),
    "v2": dict(channels=3, context=5, widths=[4, 4, 8], layers=1, groups=2, heads=[1, 2, 4], attention=[False, True, True], linear=True, transforms=2),
}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().contiguous().numpy().astype("<f4").tobytes()).decode()}


for name, c in MODELS.items():
    torch.manual_seed(11)
    levels = len(c["widths"])
    attention = c.get("attention", [True] * (levels - 1) + [False])
    heads = c["heads"] if len(c["heads"]) > 1 else c["heads"] * levels
    model = UNet2DConditionModel(
        sample_size=8, in_channels=c["channels"], out_channels=c["channels"], block_out_channels=c["widths"], layers_per_block=c["layers"],
        norm_num_groups=c["groups"], cross_attention_dim=c["context"], attention_head_dim=heads, use_linear_projection=c.get("linear", False),
        transformer_layers_per_block=c.get("transforms", 1),
        down_block_types=["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        up_block_types=["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in attention[::-1]]).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_((1 + 0.2 * torch.randn(p.shape) if "norm" in key and key.endswith("weight") else 0.3 * torch.randn(p.shape)).bfloat16().float())
    x = torch.randn(2, c["channels"], 8, 12)
    times = torch.tensor([3.0, 801.5])
    context = torch.randn(2, 7, c["context"], requires_grad=True)
    y = model(x, times, context).sample
    dy = torch.randn(y.shape)
    loss = (y * dy).sum()
    loss.backward()
    golden = {"config": c, "x": tensor(x), "times": tensor(times), "context": tensor(context.reshape(-1, c["context"])), "y": tensor(y), "dy": tensor(dy), "loss": loss.item(),
              "dcontext": tensor(context.grad.reshape(-1, c["context"])),
              "weights": {k: tensor(p) for k, p in model.named_parameters()}, "grads": {k: tensor(p.grad) for k, p in model.named_parameters()}}
    path = pathlib.Path(__file__).parent.parent.parent / f"nn/unet/testdata/{name}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))
