"""Writes ggml.json.gz with llama.cpp's own ggml: values, and what ggml_quantize_chunk makes
of them, in base64.

    python ggml.py PATH/TO/xllamacpp.abi3.so

The library is in the wheel of PyPI's xllamacpp. Beside normal values there are zeros, equal
ones, outliers, one sign alone, and very small ones.
"""

import base64
import ctypes
import gzip
import json
import sys

import numpy as np

ggml = ctypes.CDLL(sys.argv[1])
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
TYPES = {"Q4_0": (2, 32, 18), "Q5_0": (6, 32, 22), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144), "Q6_K": (14, 256, 210)}

rng = np.random.default_rng(5)
x = rng.standard_normal((10, 256)).astype(np.float32)
x[1] *= 0.02
x[2, ::37] *= 30
x[3] = abs(x[3])
x[4] = -abs(x[4])
x[5, :128] = 0
x[6] = 0
x[7] = 0.25
x[8] *= 1e-18
x[9, 32:64] = -3


def encode(text):
    return base64.b64encode(text).decode()


out = {"values": encode(x.tobytes())}
for name, (kind, elements, size) in TYPES.items():
    dst = np.zeros(x.size // elements * size, np.uint8)
    assert ggml.ggml_quantize_chunk(kind, x.ctypes.data, dst.ctypes.data, 0, *x.shape, None) == dst.size
    out[name] = encode(dst.tobytes())
with open("ggml.json.gz", "wb") as f:
    f.write(gzip.compress(json.dumps(out).encode(), mtime=0))
