"""Draws with diffusers' StableDiffusionPipeline what gotrain export has written, and with gotrain, from the same noise; with
--small it first writes two small random pipelines of diffusers itself, as of Stable Diffusion 1 and 2, which gotrain has to read.

    drawing.py DRAWING DIR|DIR=BASE+LORA|--small …

DIR=BASE+LORA puts the low-rank adapters of a file or directory on BASE, for which gotrain draws with DIR, in which they are merged.
DRAWING is the program of scripts/parity/drawing. The largest difference of a byte is printed; more than 1 is an error, with 2 for
bytes that two roundings divide.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()
SAMPLERS = {"ddim": DDIMScheduler, "euler": EulerDiscreteScheduler, "heun": HeunDiscreteScheduler, "dpmsolver++2m": DPMSolverMultistepScheduler}


def small(folder, version):
    """A random pipeline of a version of Stable Diffusion, made small."""
    torch.manual_seed(3)
    letters = [chr(c) for c in range(33, 127)]
    vocab = {t: i for i, t in enumerate(letters + [c + "</w>" for c in letters] + ["<|startoftext|>", "<|endoftext|>"])}
    tokenizer = CLIPTokenizer(vocab=vocab, merges=[], model_max_length=12)
    text = CLIPTextModel(CLIPTextConfig(vocab_size=len(vocab), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=12,
                                        hidden_act="quick_gelu" if version == 1 else "gelu", bos_token_id=len(vocab) - 2, eos_token_id=len(vocab) - 1, pad_token_id=len(vocab) - 1))
    unet = UNet2DConditionModel(sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, attention_head_dim=4 if version == 1 else [2, 8],
                                use_linear_projection=version == 2, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    vae = AutoencoderKL(block_out_channels=(32, 32), layers_per_block=1, down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, sample_size=16)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
                              prediction_type="epsilon" if version == 1 else "v_prediction")
    StableDiffusionPipeline(vae, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False).save_pretrained(folder)


def compare(program, folder, work):
    folder, _, parts = str(folder).partition("=")
    base, _, lora = parts.partition("+")
    pipe = StableDiffusionPipeline.from_pretrained(base or folder, safety_checker=None, requires_safety_checker=False)
    if lora:
        pipe.load_lora_weights(lora)
    pipe.set_progress_bar_config(disable=True)
    side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
    noise = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(5))
    (work / "noise").write_bytes(noise.numpy().astype("<f4").tobytes())
    scheduler = pipe.scheduler.config
    size = side * pipe.vae_scale_factor
    # Steps divide the 1000 times: else diffusers' DDIM goes to times that trailing ones do not look at.
    for name, steps, guidance in [("ddim", 10, 1.0), ("ddim", 8, 4.0), ("euler", 6, 4.0), ("heun", 5, 1.0), ("dpmsolver++2m", 8, 2.0)]:
        pipe.scheduler = SAMPLERS[name].from_config(scheduler, **({"lower_order_final": False} if "dpm" in name else {}))
        with torch.no_grad():
            want = pipe("red circle", latents=noise.clone(), num_inference_steps=steps, guidance_scale=guidance, height=size, width=size, output_type="np").images[0]
        want = np.round(want * 255).astype(int)
        subprocess.run([program, "-model", folder, "-prompt", "red circle", "-sampler", name, "-steps", str(steps), "-guidance", str(guidance), "-noise", work / "noise", "-out", work / "out"], check=True)
        got = np.frombuffer((work / "out").read_bytes(), dtype=np.uint8).reshape(want.shape).astype(int)
        off = np.abs(got - want)
        print(f"{pathlib.Path(folder).name:12} {name:14} {steps:3} steps, guidance {guidance:3}: largest difference {off.max()} of 255, {np.mean(off > 0):.2%} of bytes differ")
        assert off.max() <= 1, (folder, name)


program, *folders = sys.argv[1:]
with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    for folder in folders:
        if folder == "--small":
            for version in (1, 2):
                small(work / f"v{version}", version)
                compare(program, work / f"v{version}", work)
        else:
            compare(program, folder, work)
