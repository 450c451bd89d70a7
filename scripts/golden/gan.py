"""Writes the golden values of train/recipe/gan/testdata: tiny DCGANs of PyTorch's tutorial, what they draw and judge, and
one alternating step: the discriminator's loss and gradients, its update by SGD, then the generator's loss and gradients,
and the running statistics of its batch norms.

    python scripts/golden/gan.py        with scripts/python/requirements.txt

Each file is gzipped JSON: "config" are the keys of our model section, "x" true pictures (B, C, H, W), "z" latents (B, N),
"lr" that of the discriminator. Tensors are {"shape", "data"}, data being little-endian float32 in base64; weights are
rounded to bfloat16 so that the files compress.
"""

import base64
import gzip
import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

OUT = pathlib.Path(__file__).parent.parent.parent / "train/recipe/gan/testdata"
LR = 0.05


def tensor(x):
    x = x.detach().float().contiguous()
    return {"shape": list(x.shape), "data": base64.b64encode(x.numpy().astype("<f4").tobytes()).decode()}


def generator(c):
    layers, levels = [], c["size"].bit_length() - 3
    channels, stride, pad = c["latent"], 1, 0
    for i in range(levels):
        width = c["width"] << min(levels - 1 - i, 3)
        layers += [nn.ConvTranspose2d(channels, width, 4, stride, pad, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        channels, stride, pad = width, 2, 1
    return nn.Sequential(*layers, nn.ConvTranspose2d(channels, c["channels"], 4, 2, 1, bias=False), nn.Tanh())


def discriminator(c):
    norm = nn.utils.spectral_norm if c["spectral"] else lambda layer: layer
    layers, channels = [norm(nn.Conv2d(c["channels"], c["width"], 4, 2, 1, bias=False)), nn.LeakyReLU(0.2)], c["width"]
    for i in range(1, c["size"].bit_length() - 3):
        width = c["width"] << min(i, 3)
        layers.append(norm(nn.Conv2d(channels, width, 4, 2, 1, bias=False)))
        layers.append(nn.Identity() if c["spectral"] else nn.BatchNorm2d(width))
        layers.append(nn.LeakyReLU(0.2))
        channels = width
    return nn.Sequential(*layers, norm(nn.Conv2d(channels, 1, 4, 1, 0, bias=False)))


def states(model):
    named = {}
    for key, t in model.state_dict().items():
        if key.endswith(("num_batches_tracked", "weight_v")):
            continue
        named["main." + key.removesuffix("_orig")] = tensor(t)
    return named


def grads(model):
    return {"main." + k.removesuffix("_orig"): tensor(p.grad) for k, p in model.named_parameters() if p.grad is not None}


def judge(model, c, x, fake):
    """Logits of true and drawn pictures: batch norms see each by itself, as the tutorial has it; spectral norms make one
    step of power iteration for both."""
    if c["spectral"]:
        return model(torch.cat([x, fake])).reshape(2, -1)
    return torch.stack([model(x).flatten(), model(fake).flatten()])


for name, c in {"batch": dict(size=16, channels=3, latent=6, width=4, spectral=False), "spectral": dict(size=8, channels=1, latent=5, width=4, spectral=True)}.items():
    torch.manual_seed(12)
    g, d = generator(c), discriminator(c)
    with torch.no_grad():
        for model in (g, d):
            for p in model.parameters():
                p.copy_(((1 if p.dim() == 1 else 0) + 0.3 * torch.randn(p.shape)).bfloat16().float())
            for key, t in model.named_buffers():
                if key.endswith("running_var"):
                    t.copy_((0.5 + torch.rand(t.shape)).bfloat16().float())
                elif key.endswith(("running_mean", "weight_u")):
                    t.copy_(torch.randn(t.shape).bfloat16().float())
    g, d = g.double(), d.double()
    x, z = torch.rand(4, c["channels"], c["size"], c["size"]) * 2 - 1, torch.randn(4, c["latent"])
    x, z = x.double(), z.double()
    before = {"generator": states(g), "discriminator": states(d)}
    with torch.no_grad():
        drawn = g.eval()(z[:, :, None, None])
    g.train(), d.train()
    fake = g(z[:, :, None, None])
    real, told = judge(d, c, x, fake.detach())
    d_loss = F.binary_cross_entropy_with_logits(real, torch.ones(4), reduction="sum") + F.binary_cross_entropy_with_logits(told, torch.zeros(4), reduction="sum")
    d_loss.backward()
    d_grads = grads(d)
    with torch.no_grad():
        for p in d.parameters():
            p -= LR * p.grad
    g_loss = F.binary_cross_entropy_with_logits(d(fake).flatten(), torch.ones(4), reduction="sum")
    g_loss.backward()
    golden = {"config": c, "lr": LR, "x": tensor(x), "z": tensor(z), "drawn": tensor(drawn), "real": tensor(real), "fake": tensor(told),
              "discriminator_loss": float(d_loss), "generator_loss": float(g_loss), "discriminator_grads": d_grads, "generator_grads": grads(g),
              "weights": before, "running": {k: t for k, t in states(g).items() if "running" in k}}
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))
