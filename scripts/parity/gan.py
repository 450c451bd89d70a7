"""Compares faces that gotrain draws with PyTorch's, of the DCGAN in the package gan-face-generate.

    python scripts/parity/gan.py GOTRAIN WEIGHTS DIR

WEIGHTS is the package's weights.tar, DIR an empty folder for the model and its pictures. Prints the largest difference of
a byte, which rounding may make 1.
"""

import json
import pathlib
import subprocess
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

gotrain, weights, folder = sys.argv[1:]
model = pathlib.Path(folder)
state = torch.load(weights, map_location="cpu", weights_only=True)["netG_state_dict"]
save_file({k: v.contiguous() for k, v in state.items() if not k.endswith("num_batches_tracked")}, model / "model.safetensors")
(model / "config.json").write_text(json.dumps(
    {"model_type": "gotrain", "gotrain": {"family": "dcgan", "part": "generator", "channels": 3, "size": 64, "latent": 100, "width": 64}}))

layers, channels = [], 100
for i, width in enumerate((512, 256, 128, 64)):
    layers += [nn.ConvTranspose2d(channels, width, 4, 2 if i else 1, 1 if i else 0, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
net = nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()).eval()
net.load_state_dict({k.removeprefix("main."): v for k, v in state.items()})

out = model / "faces.png"
told = json.loads(subprocess.run([gotrain, "sample", "--model", str(model), "--count", "8", "--device", "cpu", "--out", str(out), "--json"],
                                 check=True, capture_output=True, text=True).stdout)
with torch.no_grad():
    faces = net(torch.tensor(told["latents"])[:, :, None, None])
want = (faces.permute(0, 2, 3, 1).numpy() / 2 + 0.5).clip(0, 1) * 255


def png(path):
    """The pixels of an 8-bit PNG with three or four channels."""
    import struct
    import zlib
    raw, at, data = path.read_bytes(), 8, b""
    while at < len(raw):
        size, kind = struct.unpack(">I4s", raw[at:at + 8])
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", raw[at + 8:at + 18])
        if kind == b"IDAT":
            data += raw[at + 8:at + 8 + size]
        at += 12 + size
    depth = {2: 3, 6: 4}[colour]
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * depth)
    pixels = np.zeros((height, width * depth), int)
    for y, line in enumerate(lines):
        up = pixels[y - 1] if y else np.zeros(width * depth, int)
        for x in range(width * depth):
            a, b, c = (pixels[y, x - depth] if x >= depth else 0), up[x], (up[x - depth] if x >= depth else 0)
            p = [0, a, b, (a + b) // 2, min((a, b, c), key=lambda v: abs(a + b - c - v))][line[0]]
            pixels[y, x] = (int(line[1 + x]) + p) % 256
    return pixels.reshape(height, width, depth)[:, :, :3]


got = png(out)
worst = max(np.abs(got[:64, 65 * i:65 * i + 64] - want[i]).max() for i in range(8))
print(f"8 faces of 64 x 64 pixels: the largest difference is {worst:.2f} of 255")
sys.exit(int(worst > 1))
