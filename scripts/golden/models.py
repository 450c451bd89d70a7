"""Writes the golden values of nn/zoo/testdata: tiny random models of Hugging
Face's transformers with their logits, loss and gradients.

    python scripts/golden/models.py [NAME...]

Each file is gzipped JSON: "config" is the config.json that transformers wrote,
"ids" and "targets" are (batch, length) with targets below 0 ignored, "logits"
is (batch·length, vocab), "loss" the mean over targets in nats; "weights" and
"grads" map names to {"shape", "data"}, data being little-endian float32 in
base64. Weights are rounded to bfloat16 so that the files compress.
"""

import base64
import gzip
import json
import pathlib
import sys

import numpy
import torch
from transformers import (
    Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
    MistralConfig, MistralForCausalLM, MptConfig, MptForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM,
)

BATCH, LENGTH, VOCAB = 2, 11, 37

LLAMA = dict(
    vocab_size=VOCAB, max_position_embeddings=16, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500.0,
    tie_word_embeddings=False, attn_implementation="eager",
)
GPT2 = dict(
    vocab_size=VOCAB, n_positions=16, n_embd=24, n_layer=2, n_head=3,
    embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager",
)

GEMMA3 = dict(
    vocab_size=VOCAB, max_position_embeddings=16, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, query_pre_attn_scalar=12, sliding_window=4, rms_norm_eps=1e-5, pad_token_id=None, attn_implementation="eager",
)

def ROPE(**rope):
    return {k: v for k, v in LLAMA.items() if k != "rope_theta"} | dict(rope_parameters=dict(rope_theta=500.0, **rope))


MODELS = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
    "gpt2_untied": lambda: GPT2LMHeadModel(GPT2Config(**GPT2 | dict(tie_word_embeddings=False, n_inner=32, activation_function="gelu"))),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, head_dim=6)),
    "llama_tied_bias": lambda: LlamaForCausalLM(LlamaConfig(**LLAMA | dict(tie_word_embeddings=True, attention_bias=True, mlp_bias=True))),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**LLAMA, head_dim=8)),
    "qwen3_window": lambda: Qwen3ForCausalLM(Qwen3Config(
        **LLAMA, head_dim=6, use_sliding_window=True, sliding_window=4, max_window_layers=0)),
    "llama_linear": lambda: LlamaForCausalLM(LlamaConfig(**ROPE(rope_type="linear", factor=3.0))),
    "llama3": lambda: LlamaForCausalLM(LlamaConfig(**ROPE(
        rope_type="llama3", factor=4.0, low_freq_factor=0.5, high_freq_factor=2.0, original_max_position_embeddings=8), head_dim=12)),
    "llama_yarn": lambda: LlamaForCausalLM(LlamaConfig(**ROPE(
        rope_type="yarn", factor=2.0, beta_fast=3.0, beta_slow=0.5, original_max_position_embeddings=8), head_dim=12)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**LLAMA | dict(tie_word_embeddings=True))),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**LLAMA, sliding_window=4)),
    "llama_yarn_fractional": lambda: LlamaForCausalLM(LlamaConfig(**ROPE(
        rope_type="yarn", factor=2.0, beta_fast=3.0, beta_slow=0.5, original_max_position_embeddings=8, truncate=False), head_dim=12)),
    "llama_longrope": lambda: LlamaForCausalLM(LlamaConfig(**ROPE(
        rope_type="longrope", factor=2.0, original_max_position_embeddings=8, short_factor=[1.0, 1.1, 1.3], long_factor=[1.0, 2.5, 4.0]), head_dim=6)),
    # Two local layers and a global one, whose positions are stretched.
    "gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**GEMMA3, layer_types=["sliding_attention", "sliding_attention", "full_attention"], rope_parameters={
        "full_attention": dict(rope_type="linear", rope_theta=500.0, factor=2.0), "sliding_attention": dict(rope_type="default", rope_theta=100.0)})),
    "gemma3_untied": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**GEMMA3 | dict(tie_word_embeddings=False, attention_bias=True, num_hidden_layers=2, query_pre_attn_scalar=8))),
    "mpt": lambda: MptForCausalLM(MptConfig(vocab_size=VOCAB, max_seq_len=16, d_model=24, n_heads=3, n_layers=2)),
}


def tensor(x):
    data = x.detach().numpy().astype("<f4")
    return {"shape": list(data.shape), "data": base64.b64encode(data.tobytes()).decode()}


def golden(build, seed):
    torch.manual_seed(seed)
    model = build().eval()
    with torch.no_grad():
        for p in model.parameters():
            # Norm weights near 1 (of Gemma 0), the others large enough to shape the logits.
            x = 1 + 0.2 * torch.randn(p.shape) if (p == 1).all() else 0.25 * torch.randn(p.shape)
            p.copy_(x.bfloat16().float())
    ids = torch.randint(0, VOCAB, (BATCH, LENGTH))
    targets = torch.randint(0, VOCAB, (BATCH, LENGTH))
    targets[0, 3] = targets[1, :2] = -100
    logits = model(input_ids=ids).logits.reshape(-1, VOCAB)
    loss = torch.nn.functional.cross_entropy(logits, targets.reshape(-1))
    loss.backward()
    params = dict(model.named_parameters())  # a tied head appears once
    return {
        "config": model.config.to_diff_dict() | {"architectures": [type(model).__name__]},
        "ids": ids.flatten().tolist(),
        "targets": targets.flatten().tolist(),
        "batch": BATCH,
        "length": LENGTH,
        "logits": tensor(logits),
        "loss": loss.item(),
        "weights": {n: tensor(p) for n, p in params.items()},
        # The first block's gradients depend on all the others.
        "grads": {n: tensor(p.grad) for n, p in params.items() if ".1." not in n or p.dim() == 1},
    }


def main():
    out = pathlib.Path(__file__).parent.parent.parent / "nn" / "zoo" / "testdata"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, build) in enumerate(MODELS.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        text = json.dumps(golden(build, seed), default=str).encode()
        path = out / f"{name}.json.gz"
        path.write_bytes(gzip.compress(text, mtime=0))
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
