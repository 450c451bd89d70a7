"""Writes the golden values of nn/unet/testdata/control: tiny random ControlNetModels of diffusers with UNet2DConditionModels, what both
tell of two pictures under a condition, and gradients of the ControlNet.

    python scripts/golden/control.py        with diffusers 0.42.1 beside scripts/python/requirements.txt

Each file is gzipped JSON as unet.py's: "config" are the keys of the U-Net, "control" those of the ControlNet beside them, "condition" (B, 3, H, W)
in [0, 1], "weights" and "grads" those of the ControlNet, "base" the weights of the U-Net, whose gradients are not taken, "scale" the weight of
the condition. "json" is diffusers' config.json of the ControlNet.
"""

import base64
import gzip
import json
import pathlib

import torch
from diffusers import ControlNetModel, UNet2DConditionModel

MODELS = {
    "v1": (dict(channels=3, context=6, widths=[8, 12], layers=1, groups=4, heads=[2]), [4]),
    "v2": (dict(channels=4, context=5, widths=[4, 4, 8], layers=2, groups=2, heads=[1, 2, 4], attention=[False, True, True], linear=True), [2, 4, 6]),
}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().contiguous().numpy().astype("<f4").tobytes()).decode()}


for name, (c, widths) in MODELS.items():
    torch.manual_seed(17)
    levels = len(c["widths"])
    attention = c.get("attention", [True] * (levels - 1) + [False])
    heads = c["heads"] if len(c["heads"]) > 1 else c["heads"] * levels
    common = dict(
        in_channels=c["channels"], block_out_channels=c["widths"], layers_per_block=c["layers"], norm_num_groups=c["groups"], cross_attention_dim=c["context"],
        attention_head_dim=heads, use_linear_projection=c.get("linear", False), down_block_types=["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention])
    base = UNet2DConditionModel(sample_size=8, out_channels=c["channels"], up_block_types=["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in attention[::-1]], **common).eval()
    control = ControlNetModel(conditioning_embedding_out_channels=widths, **common).eval()
    with torch.no_grad():
        for model in base, control:
            for key, p in model.named_parameters():
                p.copy_((1 + 0.2 * torch.randn(p.shape) if "norm" in key and key.endswith("weight") else 0.3 * torch.randn(p.shape)).bfloat16().float())
    base.requires_grad_(False)
    factor = 2 ** (len(widths) - 1)
    x, times, context = torch.randn(2, c["channels"], 8, 12), torch.tensor([3.0, 801.5]), torch.randn(2, 7, c["context"])
    condition, scale = torch.rand(2, 3, 8 * factor, 12 * factor), 0.75
    down, mid = control(x, times, context, condition, conditioning_scale=scale, return_dict=False)
    y = base(x, times, context, down_block_additional_residuals=down, mid_block_additional_residual=mid).sample
    dy = torch.randn(y.shape)
    loss = (y * dy).sum()
    loss.backward()
    golden = {"config": c, "control": {"condition": widths}, "json": dict(control.config), "scale": scale, "x": tensor(x), "times": tensor(times),
              "context": tensor(context.reshape(-1, c["context"])), "condition": tensor(condition), "y": tensor(y), "dy": tensor(dy), "loss": loss.item(),
              "base": {k: tensor(p) for k, p in base.named_parameters()},
              "weights": {k: tensor(p) for k, p in control.named_parameters()}, "grads": {k: tensor(p.grad) for k, p in control.named_parameters()}}
    path = pathlib.Path(__file__).parent.parent.parent / f"nn/unet/testdata/control/{name}.json.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(golden, default=list).encode(), 9, mtime=0))
