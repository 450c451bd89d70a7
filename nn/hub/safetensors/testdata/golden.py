"""Writes golden.safetensors with the reference library (pip install safetensors torch)."""
import os
import torch
from safetensors.torch import save_file

tensors = {
    "wte.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
    "h.0.bias": torch.tensor([-1.5, 0.0, 3.25]),
    'näme "quoted"\\\u2028': torch.tensor([1.0]),
    "bf16": torch.tensor([[1.0, -2.5], [float("inf"), 0.125]]).bfloat16(),
    "f16": torch.tensor([1.0, -2.5, 65504.0, 2.0**-24, float("inf")]).half(),
    "ids": torch.tensor([-1, 2**31 - 1], dtype=torch.int32),
    "long": torch.tensor([-(2**63), 7], dtype=torch.int64),
    "double": torch.tensor([0.1], dtype=torch.float64),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "mask": torch.tensor([True, False, True]),
    "empty": torch.zeros(0, 4),
    "scalar": torch.tensor(2.0),
}
save_file(tensors, os.path.join(os.path.dirname(__file__), "golden.safetensors"), metadata={"format": "pt"})
