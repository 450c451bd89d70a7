"""Writes autograd/testdata/rope.json: the frequencies of rotary positions that
transformers computes, with the factor of cos and sin.

    python scripts/golden/rope.py
"""

import json
import pathlib

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CASES = [(head, theta, dict(rope_type="linear", factor=factor)) for head, theta, factor in [(64, 10000.0, 4.0), (6, 500.0, 2.5)]]
for head, theta in [(128, 500000.0), (64, 10000.0), (20, 777.0)]:
    CASES += [(head, theta, dict(rope_type="llama3", factor=f, low_freq_factor=low, high_freq_factor=high, original_max_position_embeddings=original))
              for f, low, high, original in [(8.0, 1.0, 4.0, 8192), (32.0, 1.0, 4.0, 8192), (3.0, 0.5, 2.0, 300)]]
    CASES += [(head, theta, dict(rope_type="yarn", factor=f, beta_fast=fast, beta_slow=slow, original_max_position_embeddings=original))
              for f, fast, slow, original in [(4.0, 32.0, 1.0, 4096), (16.0, 32.0, 1.0, 2048), (2.0, 8.0, 2.0, 512), (2.0, 3.0, 2.9, 64)]]
    CASES += [(head, theta, dict(rope_type="yarn", factor=f, beta_fast=fast, beta_slow=slow, original_max_position_embeddings=original, truncate=False))
              for f, fast, slow, original in [(4.0, 32.0, 1.0, 4096), (2.0, 3.0, 2.9, 64)]]
# Of sequences of 3 tokens: beyond an original context of 2, and inside one of 3.
CASES += [(8, theta, dict(rope_type="longrope", factor=factor, original_max_position_embeddings=original, short_factor=[1.0, 1.05, 1.2, 1.7], long_factor=[1.0, 3.0, 7.5, 64.25]))
          for theta, factor, original in [(10000.0, 4.0, 2), (500.0, 32.0, 3)]]


def main():
    out = []
    for head, theta, rope in CASES:
        config = LlamaConfig(hidden_size=2 * head, num_attention_heads=2, head_dim=head, max_position_embeddings=1 << 17, rope_parameters=dict(rope_theta=theta, **rope))
        frequencies, attention = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu", seq_len=3)
        out.append({"head_dim": head, "theta": theta, "rope": rope, "frequencies": [float(f) for f in frequencies], "attention": attention})
    path = pathlib.Path("autograd/testdata/rope.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in out) + "\n]\n")


if __name__ == "__main__":
    main()
