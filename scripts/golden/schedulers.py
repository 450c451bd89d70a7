"""Writes nn/diffusion/testdata/schedulers.json: what diffusers' schedulers make of a picture that tells of its noise
x·t/(t+1), in all steps.

    python scripts/golden/schedulers.py        with diffusers 0.42.1 beside scripts/python/requirements.txt

Each case has the keys of our Config, "times" as a network is told them, "levels" (α, σ) at all times of the schedule, every
hundredth, "x" the first elements behind the last step and "sum" of the absolute values of all 768. The sample is i/768, and
so is fresh noise, turned round. Euler's and Heun's samples are told in the space in which α is 1.
"""

import json
import pathlib

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, HeunDiscreteScheduler
from diffusers.schedulers import scheduling_ddpm

N = 768
sample = (torch.arange(N, dtype=torch.float32) / N).reshape(1, N)
fresh = sample.flip(1)
scheduling_ddpm.randn_tensor = lambda shape, **_: fresh.reshape(shape)


def case(method, steps=10, shape="linear", start=1e-4, end=0.02, prediction="epsilon", spacing="leading", offset=0, eta=0.0, clip=0.0, first=False, zero=False):
    name = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}.get(shape)
    common = dict(num_train_timesteps=1000, beta_start=start, beta_end=end, beta_schedule=name, prediction_type=prediction, timestep_spacing=spacing, steps_offset=offset)
    if method in ("ddpm", "ddim"):
        common.update(clip_sample=clip > 0, clip_sample_range=clip or 1.0, rescale_betas_zero_snr=zero)
    if shape == "flow":
        s = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000)
    elif method == "ddpm":
        s = DDPMScheduler(**common)
    elif method == "ddim":
        s = DDIMScheduler(**common, set_alpha_to_one=not first)
    elif method == "euler":
        s = EulerDiscreteScheduler(**common, rescale_betas_zero_snr=zero)
    elif method == "heun":
        s = HeunDiscreteScheduler(**common)
    else:
        s = DPMSolverMultistepScheduler(**common, rescale_betas_zero_snr=zero, lower_order_final=False, final_sigmas_type="zero")
    s.set_timesteps(steps)
    x = sample.clone()
    space = method in ("euler", "heun") and shape != "flow"
    if space:
        x = x * s.init_noise_sigma
    for t in s.timesteps:
        told = s.scale_model_input(x, t) if space else x
        out = told * t / (t + 1)
        kwargs = {}
        if method == "ddim" and eta > 0:
            kwargs = dict(eta=eta, variance_noise=fresh)
        x = s.step(out, t, x, **kwargs).prev_sample
    levels = []
    if shape != "flow" and not (zero and method not in ("ddpm", "ddim")):
        a = s.alphas_cumprod.double()[::100]
        levels = [[float(v), float(w)] for v, w in zip(a.sqrt(), (1 - a).sqrt())]
    return {
        "schedule": {"Shape": shape, "Steps": 1000, "Start": start, "End": end, "ZeroSNR": zero},
        "config": {"Method": method, "Steps": steps, "Prediction": "velocity" if shape == "flow" else prediction, "Spacing": "linspace" if shape == "flow" else spacing,
                   "Offset": offset, "Eta": eta, "Clip": clip, "FirstLevel": first},
        "times": [float(t) for t in s.timesteps], "levels": levels, "x": [float(v) for v in x[0, 700:708]], "sum": float(x.abs().sum()),
    }


sd = dict(shape="scaled_linear", start=0.00085, end=0.012)
cases = [
    case("ddim", clip=1.0), case("ddim", clip=1.0, prediction="v_prediction"), case("ddim", clip=1.0, start=0.01), case("ddim", clip=1.0, start=0.01, first=True),
    case("ddim", steps=50, offset=1, first=True, **sd), case("ddim", eta=0.5, **sd), case("ddim", eta=1.0, spacing="trailing", zero=True, prediction="v_prediction", **sd),
    case("ddim", steps=7, shape="cosine", clip=1.0),
    case("ddpm", steps=1000, clip=1.0), case("ddpm", steps=25, spacing="trailing", prediction="v_prediction", **sd), case("ddpm", steps=20, shape="cosine", clip=1.0),
    case("euler", spacing="linspace"), case("euler", steps=13, spacing="leading", offset=1, **sd), case("euler", spacing="trailing", prediction="v_prediction", zero=True, **sd),
    case("euler", shape="flow"), case("euler", steps=4, shape="flow"),
    case("heun", spacing="linspace"), case("heun", steps=6, spacing="leading", offset=1, prediction="v_prediction", **sd), case("heun", steps=5, spacing="trailing", **sd),
    case("dpmsolver++2m", steps=20, spacing="linspace", **sd), case("dpmsolver++2m", spacing="leading", offset=1, prediction="v_prediction", **sd),
    case("dpmsolver++2m", steps=5, spacing="trailing", **sd), case("dpmsolver++2m", spacing="trailing", prediction="v_prediction", zero=True, **sd),
]
path = pathlib.Path(__file__).parent.parent.parent / "nn/diffusion/testdata/schedulers.json"
path.parent.mkdir(exist_ok=True)
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
