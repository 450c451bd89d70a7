"""Writes the golden values of nn/vae/testdata: tiny random AutoencoderKLs of diffusers with the moments of two pictures,
the pictures of the means, and gradients.

    python scripts/golden/vae.py        with diffusers 0.42.1 beside scripts/python/requirements.txt

Each file is gzipped JSON: "config" are the keys of our model section, "x" pictures (B, C, H, W), "moments" mean and
logarithm of the variance, "y" what the decoder makes of the means, "loss" is Σ dy·y + Σ dm·moments, whose gradients
"grads" are. Tensors are {"shape", "data"}, data being little-endian float32 in base64; weights are rounded to bfloat16
so that the files compress.
"""

import base64
import gzip
import json
import pathlib

import torch
from diffusers import AutoencoderKL

MODELS = {
    "two": dict(channels=3, latent=4, widths=[8, 16], layers=1, groups=4),
    "three": dict(channels=1, latent=2, widths=[4, 6, 8], layers=2, groups=2, attention=False, quant_conv=False),
}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().contiguous().numpy().astype("<f4").tobytes()).decode()}


for name, c in MODELS.items():
    torch.manual_seed(11)
    levels = len(c["widths"])
    model = AutoencoderKL(
        in_channels=c["channels"], out_channels=c["channels"], latent_channels=c["latent"], block_out_channels=c["widths"], layers_per_block=c["layers"],
        norm_num_groups=c["groups"], down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels,
        mid_block_add_attention=c.get("attention", True), use_quant_conv=c.get("quant_conv", True), use_post_quant_conv=c.get("quant_conv", True)).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_((1 + 0.2 * torch.randn(p.shape) if "norm" in key and key.endswith("weight") else 0.3 * torch.randn(p.shape)).bfloat16().float())
    x = torch.randn(2, c["channels"], 8, 12)
    posterior = model.encode(x).latent_dist
    moments = torch.cat([posterior.mean, posterior.logvar], 1)
    y = model.decode(posterior.mean).sample
    dm, dy = torch.randn(moments.shape), torch.randn(y.shape)
    loss = (moments * dm).sum() + (y * dy).sum()
    loss.backward()
    golden = {"config": c, "x": tensor(x), "moments": tensor(moments), "y": tensor(y), "dm": tensor(dm), "dy": tensor(dy), "loss": float(loss),
              "weights": {k: tensor(p) for k, p in model.named_parameters()}, "grads": {k: tensor(p.grad) for k, p in model.named_parameters()}}
    path = pathlib.Path(__file__).parent.parent.parent / f"nn/vae/testdata/{name}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))
