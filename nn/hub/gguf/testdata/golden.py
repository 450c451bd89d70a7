"""Writes golden.gguf with the Python package gguf: random blocks of every type
that it dequantises and we decode, each beside its float32 values; values, and
what the package encodes them to; and metadata of every kind.

    python golden.py
"""

import gguf
import numpy as np

rng = np.random.default_rng(1)
w = gguf.GGUFWriter("golden.gguf", "golden")
w.add_uint8("k.uint8", 200)
w.add_int8("k.int8", -100)
w.add_uint16("k.uint16", 60000)
w.add_int16("k.int16", -30000)
w.add_uint32("k.uint32", 4_000_000_000)
w.add_int32("k.int32", -2_000_000_000)
w.add_float32("k.float32", 1e-5)
w.add_bool("k.bool", True)
w.add_string("k.string", "Ġnäme")
w.add_uint64("k.uint64", 1 << 63)
w.add_int64("k.int64", -(1 << 62))
w.add_float64("k.float64", 0.1)
w.add_array("k.strings", ["a", "", "Ġb"])
w.add_array("k.ints", [1, -2, 3])
w.add_array("k.floats", [0.5, 1.5])
w.add_array("k.bools", [True, False])

# Byte offsets of the binary16 fields of a block.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
BLOCKS = 8  # in 2 rows


def add(name, data, kind):
    w.add_tensor(name, data, raw_dtype=kind)


for name, halves in HALVES.items():
    kind = gguf.GGMLQuantizationType[name]
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in halves:
        scale = (rng.standard_normal(BLOCKS) * 0.01).astype(np.float16)
        scale[0], scale[1] = 3e-7, -65504  # subnormal and largest
        blocks[:, at:at + 2] = scale.view(np.uint8).reshape(BLOCKS, 2)
    blocks = blocks.reshape(2, BLOCKS // 2 * size)
    add(name, blocks, kind)
    add(name + ".f32", gguf.dequantize(blocks, kind), gguf.GGMLQuantizationType.F32)

x = rng.standard_normal((3, 64)).astype(np.float32)
x[0, :8] = [0, -0.0, 1e-8, 6e-8, 65504, -65520, 1e-5, 3.0e38]
x[1, :32] = 0
x[1, 32] = 2.5 / 127
x[1, 33] = 1.0
add("encode.F32", x, gguf.GGMLQuantizationType.F32)
with np.errstate(over="ignore"):
    for name in ("F16", "BF16", "Q8_0", "Q4_0", "Q5_0"):
        kind = gguf.GGMLQuantizationType[name]
        source = x if name[0] != "Q" else np.clip(x, -100, 100)
        add("encode." + name, gguf.quantize(source, kind), kind)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
