"""Writes autograd/quant/testdata/golden.json: sums of what bitsandbytes 0.50.2 makes of a
million floats, among them zeros, ties, subnormal numbers, and a last block that
is not whole.

    python -m venv --system-site-packages venv && venv/bin/pip install bitsandbytes==0.50.2
    venv/bin/python scripts/golden/quant.py

The codes of absmax are those of its default implementation, which its CUDA kernels
follow: its C++ for the CPU looks them up in a table that is coarse near zero.
"""

import hashlib
import json
import pathlib

import bitsandbytes  # registers the operators
import bitsandbytes.functional as functional
import numpy as np
import torch

OUT = pathlib.Path(__file__).parent.parent.parent / "autograd/quant/testdata/golden.json"
ROWS, COLS = 1037, 1013


def numbers():
    """The matrix that the test makes too."""
    with np.errstate(over="ignore"):
        h = np.arange(ROWS * COLS, dtype=np.uint32) * np.uint32(2654435761)
        h ^= h >> np.uint32(15)
        h *= np.uint32(2246822519)
        h ^= h >> np.uint32(13)
    x = h.view(np.int32).astype(np.float32) * np.float32(2.0**-31)
    x = x * x * x
    code = nf4().numpy()
    x[64:128] = 0
    x[192:207] = (code[:-1] + code[1:]) / 2  # ties
    x[207] = 1
    x[208:256] = 0
    x[256:320] *= np.float32(2.0**-130)
    x[320:384] *= np.float32(64)
    return torch.from_numpy(x.reshape(ROWS, COLS))


def nf4():
    return functional.get_4bit_type("nf4", device="cpu")


def default(op, *args):
    return op.default._op_dk(torch._C.DispatchKey.CompositeExplicitAutograd, *args)


def digest(t):
    return hashlib.sha256(t.contiguous().view(-1).numpy().tobytes()).hexdigest()


def main():
    x = numbers()
    ops = torch.ops.bitsandbytes
    codes, absmax = default(ops.quantize_4bit, x, 64, "nf4", torch.uint8)
    mean = np.float32(absmax.double().mean().item())
    nested, groups = default(ops.quantize_blockwise, absmax - float(mean), functional.create_dynamic_map(), 256)
    flat = x.view(-1)[: ROWS * COLS // 64 * 64].view(-1, 64)
    assert torch.equal(absmax[: len(flat)], flat.abs().max(1)[0])
    double = default(ops.dequantize_blockwise, nested, groups, functional.create_dynamic_map(), 256, torch.float32) + float(mean)
    rows, row_absmax, _ = ops.int8_vectorwise_quant(x)
    golden = {
        "bitsandbytes": bitsandbytes.__version__, "rows": ROWS, "cols": COLS, "input": digest(x),
        "nf4": {"codes": digest(codes), "absmax": digest(absmax),
                "decoded": digest(default(ops.dequantize_4bit, codes, absmax, 64, "nf4", x.shape, torch.float32))},
        "nf4-double": {"codes": digest(codes), "absmax": digest(nested), "groups": digest(groups), "offset": float(mean),
                       "decoded": digest(default(ops.dequantize_4bit, codes, double, 64, "nf4", x.shape, torch.float32))},
        "int8": {"codes": digest(rows), "absmax": digest(row_absmax), "decoded": digest(ops.int8_vectorwise_dequant(rows, row_absmax))},
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(golden, indent=1) + "\n")


main()
