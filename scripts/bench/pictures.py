"""Training steps of models of pictures in gotrain and in PyTorch.

    pictures.py compare GOTRAIN ROUNDS SECONDS MODES MODELS     table, each side in turn, one process a measurement
    pictures.py torch MODEL PRECISION MODE SECONDS FIRST        one JSON object

unet    15 M parameters: 64, 128, 256 channels at 32, 16, 8 pixels, attention at the smallest, and a text encoder of one
        layer, which learn together; 16 pictures of 32 × 32
dcgan   6 M parameters: 64 to 512 channels, 32 pictures of 64 × 64
vae     0.6 M parameters: 32, 64 channels, 32 pictures of 32 × 32

A step is forward, backward and AdamW, which PyTorch fuses, on drawn shapes. PyTorch has float32 or autocast to bfloat16, and
the modes eager, nhwc (eager, channels last) and compile; the best of a precision counts. Memory is the peak resident size of
the process, PyTorch's smallest of the modes.

FIRST is a run of gotrain of one step, whose learning rate is too small to change a weight: PyTorch reads its weights and
pictures, draws its random numbers, and has to come to its loss.
"""

import json
import math
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

SEED = 1337
MODELS = {  # the loss of metrics.jsonl, the side of pictures, the batch, and the configuration
    "unet": ("loss", 32, 16, """
recipe: {kind: diffusion, prediction: epsilon, min_snr: 0, dropout: 0, shown: 0, schedule: {shape: scaled_linear}}
model: {family: unet, widths: [64, 128, 256], layers: 2, heads: [4], attention: [false, false, true]}"""),
    "dcgan": ("discriminator_loss", 64, 32, """
recipe: {kind: gan, average: 0, shown: 0}
model: {family: dcgan, width: 64, latent: 100}"""),
    "vae": ("loss", 32, 32, """
recipe: {kind: vae, deviation: 0.1, shown: 0}
model: {family: vae, widths: [32, 64], latent: 4, layers: 1}"""),
}
COMMON = """
run: {{dir: {dir}/run, seed: {seed}}}
device: cpu
precision: {precision}
data: {{format: pictures, shapes: 1024, size: {size}, validation: 0}}
train: {{steps: {steps}, batch: {batch}, eval_every: 0, save_every: 0, max_skips: 0}}
optimizer: {{kind: adamw, lr: {lr}, min_lr: {lr}, warmup: 0, clip: 0, schedule: constant}}
"""


def train(gotrain, where, model, precision, steps, lr):
    """Trains in the directory where, and returns the lines of metrics.jsonl of steps and the peak resident size in MiB."""
    loss, size, batch, config = MODELS[model]
    file = pathlib.Path(where, "c.yaml")
    file.write_text(COMMON.format(dir=where, seed=SEED, precision=precision, size=size, steps=steps, batch=batch, lr=lr) + config)
    p = subprocess.Popen([gotrain, "pretrain", "--config", str(file), "--resume", "none"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    if status:
        raise SystemExit(errors)
    rows = [r for r in map(json.loads, open(f"{where}/run/metrics.jsonl")) if r["split"] == "train"]
    return rows, usage.ru_maxrss // 1024


def ours(gotrain, model, precision, seconds):
    steps = 12
    while True:
        with tempfile.TemporaryDirectory() as tmp:
            began = time.perf_counter()
            rows, mib = train(gotrain, tmp, model, precision, steps, 3e-4)
            ms = statistics.median(r["step_ms"] for r in rows[3:])
            if time.perf_counter() - began >= seconds / 2:
                return dict(per_s=1e3 / ms, mib=mib)
            steps = int(steps + seconds * 1e3 / ms)


class Random:
    """Philox4x32-10 (Salmon et al. 2011) and PCG-DXSM as gotrain draws by them."""

    @staticmethod
    def normal(site, *shape):
        import numpy as np

        n = math.prod(shape)
        block = np.arange((n + 3) // 4, dtype=np.uint64)
        mask = np.uint64(0xFFFFFFFF)
        counter, key = [block & mask, np.full_like(block, site), block >> np.uint64(32), np.zeros_like(block)], [SEED & 0xFFFFFFFF, SEED >> 32]
        for _ in range(10):
            a, b = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
            counter = [b >> np.uint64(32) ^ counter[1] ^ np.uint64(key[0]), b & mask, a >> np.uint64(32) ^ counter[3] ^ np.uint64(key[1]), a & mask]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        pairs = np.stack(counter, 1).reshape(-1, 2)
        u, v = ((pairs[:, 0] >> np.uint64(9)) + 0.5) / 2**23, (pairs[:, 1] >> np.uint64(8)) / 2**24
        r = np.sqrt(-2 * np.log(u))
        return np.stack([r * np.cos(2 * np.pi * v), r * np.sin(2 * np.pi * v)], 1).reshape(-1)[:n].reshape(shape).astype(np.float32)

    @staticmethod
    def time(sample, steps):
        wide = (1 << 128) - 1
        state = ((SEED ^ 0x74696D65) << 64 | sample) * 0x2360ED051FC65DA44385DF649FCCF645 + 0x5851F42D4C957F2D14057B7EF767814F & wide
        high, low = state >> 64, state & (1 << 64) - 1 | 1
        high = (high ^ high >> 32) * 0xDA942042E4DD58B5 & (1 << 64) - 1
        high = (high ^ high >> 48) * low & (1 << 64) - 1
        return (high >> 32) * steps >> 32


def first_batch(first, size, batch):
    """The pictures of the first step, (B, 3, size, size) in [-1, 1], and their captions."""
    import numpy as np
    from PIL import Image

    sheet = np.asarray(Image.open(f"{first}/sheet.png").convert("RGB"), np.float32)
    pictures = [sheet[y * (size + 1):][:size, x * (size + 1):][:, :size] for y, x in (divmod(i, 8) for i in range(batch))]
    captions = [p["caption"] for p in json.load(open(f"{first}/sheet.json"))["pictures"][:batch]]
    return np.stack(pictures).transpose(0, 3, 1, 2) * np.float32(2 / 255) - 1, captions


def theirs(model, precision, mode, seconds, first):
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file

    torch.set_num_threads(int(os.environ.get("THREADS", len(os.sched_getaffinity(0)))))
    torch.manual_seed(0)
    _, size, batch, _ = MODELS[model]
    latest, site = f"{first}/run/checkpoints/latest", int(pathlib.Path(first, "site").read_text())
    optimizers = []

    def ready(net, folder):
        """A network with gotrain's weights, as it is called, and its optimizer."""
        weights, names = load_file(f"{latest}/{folder}/model.safetensors"), net.state_dict()
        weights = {k if k in names else k.removeprefix("text_model."): w for k, w in weights.items()}  # transformers 5 has no prefix
        missing = net.load_state_dict(weights, strict=False)
        if missing.unexpected_keys or any("num_batches" not in k and "position_ids" not in k for k in missing.missing_keys):
            raise SystemExit(f"{model}: {missing}")
        net.train()
        if mode == "nhwc":
            net.to(memory_format=torch.channels_last)
        optimizers.append(torch.optim.AdamW(net.parameters(), lr=3e-4, fused=True))
        return torch.compile(net) if mode == "compile" else net

    def config(folder):
        return json.load(open(f"{latest}/{folder}/config.json"))

    def image(x):
        x = torch.as_tensor(x)
        return x.contiguous(memory_format=torch.channels_last) if mode == "nhwc" else x

    def pixels(channels, side):
        """Normal numbers of pictures, which gotrain has pixel by pixel."""
        return torch.from_numpy(Random.normal(site, batch, side, side, channels)).permute(0, 3, 1, 2)

    x, captions = first_batch(first, size, batch)
    x = image(x)
    autocast = lambda: torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    def update(loss, optimizer):
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    if model == "unet":
        from diffusers import UNet2DConditionModel
        from tokenizers import Tokenizer
        from transformers import CLIPTextConfig, CLIPTextModel

        text = CLIPTextConfig(**{k: v for k, v in config("text_encoder").items() if k not in ("architectures", "model_type", "torch_dtype", "dtype")})
        tokens = Tokenizer.from_file(f"{latest}/text_encoder/tokenizer.json")
        rows = [tokens.encode(c).ids for c in captions]
        ids = torch.tensor([r + [text.pad_token_id] * (text.max_position_embeddings - len(r)) for r in rows])
        reads, denoises = ready(CLIPTextModel(text), "text_encoder"), ready(UNet2DConditionModel.from_config(config("unet")), "unet")
        times = torch.tensor([Random.time(i, 1000) for i in range(batch)])
        alphas = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)[times].view(-1, 1, 1, 1)
        alpha, sigma = alphas.sqrt().float(), (1 - alphas).sqrt().float()
        noise = pixels(3, size)

        def step(fresh):
            n = torch.randn_like(x) if fresh else noise
            with autocast():
                told = denoises(image(alpha * x + sigma * n), times, reads(ids)[0]).sample
            loss = F.mse_loss(told.float(), n)
            loss.backward()
            for o in optimizers:
                o.step()
                o.zero_grad(set_to_none=True)
            return loss
    elif model == "vae":
        from diffusers import AutoencoderKL

        c = config(".")["gotrain"]
        pixels_in = dict(in_channels=3, out_channels=3, latent_channels=c["latent"], block_out_channels=c["widths"], layers_per_block=c["layers"], norm_num_groups=c["groups"])
        levels = len(c["widths"])
        net = ready(AutoencoderKL(**pixels_in, down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels), ".")
        side = size >> levels - 1
        noise = pixels(c["latent"], side)

        def step(fresh):
            n = torch.randn_like(noise) if fresh else noise
            with autocast():
                of = net.encode(x).latent_dist
                y = net.decode(of.mean + of.std * n).sample.float()
            mean, logvar = of.mean.float(), of.logvar.float()
            nll = ((x - y) ** 2 / (2 * 0.1**2) + 0.5 * math.log(2 * math.pi * 0.1**2)).sum()
            loss = (nll + 0.5 * (mean**2 + logvar.exp() - logvar - 1).sum()) / batch
            update(loss, optimizers[0])
            return loss
    else:
        import torch.nn as nn

        c, g, d = 512, [], [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
        g += [nn.ConvTranspose2d(100, c, 4, bias=False), nn.BatchNorm2d(c), nn.ReLU(True)]
        for i in range(3):
            g += [nn.ConvTranspose2d(c >> i, c >> i + 1, 4, 2, 1, bias=False), nn.BatchNorm2d(c >> i + 1), nn.ReLU(True)]
            d += [nn.Conv2d(64 << i, 128 << i, 4, 2, 1, bias=False), nn.BatchNorm2d(128 << i), nn.LeakyReLU(0.2, True)]
        g += [nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh()]
        d += [nn.Conv2d(c, 1, 4, bias=False), nn.Flatten(0)]
        named = lambda layers: nn.ModuleDict({"main": nn.Sequential(*layers)})
        both = [named(g), named(d)]
        for m, folder in zip(both, ("generator", "discriminator")):
            ready(m, folder)
        draw, judge = (torch.compile(m["main"]) if mode == "compile" else m["main"] for m in both)
        latents = torch.from_numpy(Random.normal(site, batch, 100)).view(batch, 100, 1, 1)

        def step(fresh):
            z = torch.randn_like(latents) if fresh else latents
            with autocast():
                made = draw(z)
                loss = -(F.logsigmoid(judge(x).float()) + F.logsigmoid(-judge(made.detach()).float())).mean()
            update(loss, optimizers[1])
            with autocast():
                fooled = -F.logsigmoid(judge(made).float()).mean()
            fooled.backward()
            optimizers[0].step()
            for o in optimizers:
                o.zero_grad(set_to_none=True)
            return loss

    loss = step(False).item()
    for _ in range(2):
        step(True)
    times_taken, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times_taken) < 5:
        began = time.perf_counter()
        step(True).item()
        times_taken.append(time.perf_counter() - began)
    return dict(per_s=1 / statistics.median(times_taken), mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, loss=loss)


def compare(gotrain, rounds, seconds, modes, models):
    print("| model | precision | gotrain steps/s | PyTorch's best | × | gotrain MiB | PyTorch MiB | × | first loss | PyTorch's |\n|---|---|---|---|---|---|---|---|---|---|")
    for model in models:
        with tempfile.TemporaryDirectory() as first:
            rows, _ = train(gotrain, first, model, "float32", 1, 1e-30)
            loss = rows[0][MODELS[model][0]]
            with open(f"{first}/sheet.json", "w") as f:
                subprocess.run([gotrain, "data", "inspect", "--config", f"{first}/c.yaml", "--json", "--out", f"{first}/sheet.png"], stdout=f, stderr=subprocess.DEVNULL, check=True)
            dump = subprocess.run([gotrain, "inspect", "plan", "--dump", f"{first}/c.yaml"], stdout=subprocess.PIPE, text=True, check=True).stdout
            pathlib.Path(first, "site").write_text(re.search(r" = Normal\(rng\) {Site=(\d+)}", dump)[1])
            for precision in ("float32", "bfloat16"):
                us, them = [], {}
                for _ in range(rounds):
                    us.append(ours(gotrain, model, precision, seconds))
                    for mode in modes:
                        p = subprocess.run([sys.executable, __file__, "torch", model, precision, mode, str(seconds), first], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                        if p.returncode:
                            print(f"{model} {precision} {mode}: {p.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                            continue
                        them.setdefault(mode, []).append(json.loads(p.stdout.splitlines()[-1]))
                if not them:
                    raise SystemExit(f"{model}: PyTorch has not run")
                speeds = {mode: statistics.median(r["per_s"] for r in runs) for mode, runs in them.items()}
                best = max(speeds, key=speeds.get)
                a, b = statistics.median(r["per_s"] for r in us), speeds[best]
                m, n = max(r["mib"] for r in us), min(r["mib"] for runs in them.values() for r in runs)
                told = them[best][0]["loss"]
                print(f"| {model} | {precision} | {a:.2f} | {b:.2f} ({best}) | {a / b:.2f} | {m} | {n} | {m / n:.2f} | {loss:.6g} | {told:.6g} |", flush=True)
                if precision == "float32" and abs(told - loss) > 1e-4 * abs(loss):
                    raise SystemExit(f"{model}: the losses of the first step differ: {loss} and {told}")


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        print(json.dumps(theirs(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]), sys.argv[6])))
    else:
        compare(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5].split(","), sys.argv[6].split(","))
