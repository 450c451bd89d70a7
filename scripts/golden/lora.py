"""Writes the golden values of nn/zoo/testdata/lora and the adapters of
nn/hub/peft/testdata: tiny random models of transformers with adapters of peft.

    python scripts/golden/lora.py

A golden file is gzipped JSON as of models.py, with "lora", the arguments
of peft's LoraConfig, "weights" of base and adapter (B is not zero), "logits",
"loss" and the gradients of A and B; "losses" of ten steps of AdamW on the same
batch with "optimizer"; and "merged", weights of the model that merge_and_unload
gives before the first step.
"""

import gzip
import json
import pathlib
import shutil

import torch
from models import BATCH, GPT2, LENGTH, LLAMA, VOCAB, tensor
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

ROOT = pathlib.Path(__file__).parent.parent.parent
OPTIMIZER = dict(lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)

CASES = {
    "gpt2": (lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
             dict(r=3, lora_alpha=6, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True)),
    "gpt2_rslora": (lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
                    dict(r=4, lora_alpha=4, target_modules="all-linear", use_rslora=True, fan_in_fan_out=True)),
    "llama": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, head_dim=6)),
              dict(r=2, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "llama_all": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA | dict(tie_word_embeddings=True))),
                  dict(r=4, lora_alpha=2, target_modules="all-linear")),
    "llama_regex": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, head_dim=6)),
                    dict(r=3, lora_alpha=5, target_modules=r".*\.0\.(self_attn\.[qv]_proj|mlp\.down_proj)", use_rslora=True)),
    "gpt2_dora": (lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
                  dict(r=2, lora_alpha=3, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True, use_dora=True)),
    "llama_dora": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, head_dim=6)),
                   dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"], use_rslora=True, use_dora=True)),
    "llama_patterns": (lambda: LlamaForCausalLM(LlamaConfig(**LLAMA, head_dim=6)),
                       dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"], use_rslora=True,
                            rank_pattern={r"layers\.0\.self_attn\..*": 1, "q_proj": 2}, alpha_pattern={"down_proj": 7})),
}
# Saved in this type; the numbers are exact in it.
SAVED = {"llama_regex": torch.bfloat16}


def own_name(name):
    """Our name of a parameter of a model under peft."""
    name = name.removeprefix("base_model.model.").replace(".base_layer.", ".").replace(".default.", ".")
    return name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def golden(build, lora, seed, adapter, saved):
    torch.manual_seed(seed)
    base = build().eval()
    config = base.config.to_diff_dict() | {"architectures": [type(base).__name__]}
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
    params = {own_name(n): p for n, p in model.named_parameters()}
    with torch.no_grad():
        for name, p in params.items():
            x = 1 + 0.2 * torch.randn(p.shape) if (p == 1).all() else 0.25 * torch.randn(p.shape)
            p.copy_(x.bfloat16().float())
    weights = {n: tensor(p) for n, p in params.items()}
    model.save_pretrained(adapter)
    (adapter / "README.md").unlink()
    if saved != torch.float32:
        file = adapter / "adapter_model.safetensors"
        save_file({n: t.to(saved) for n, t in load_file(file).items()}, file, {"format": "pt"})
    ids = torch.randint(0, VOCAB, (BATCH, LENGTH))
    targets = torch.randint(0, VOCAB, (BATCH, LENGTH))
    targets[0, 3] = targets[1, :2] = -100

    def forward():
        logits = model(input_ids=ids).logits.reshape(-1, VOCAB)
        return logits, torch.nn.functional.cross_entropy(logits, targets.reshape(-1))

    logits, loss = forward()
    loss.backward()
    trained = {n: p for n, p in params.items() if p.requires_grad}
    result = {
        "config": config, "lora": lora, "ids": ids.flatten().tolist(), "targets": targets.flatten().tolist(),
        "batch": BATCH, "length": LENGTH, "logits": tensor(logits), "loss": loss.item(), "weights": weights,
        "grads": {n: tensor(p.grad) for n, p in trained.items()}, "optimizer": OPTIMIZER,
    }
    first = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), **OPTIMIZER)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = forward()[1]
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for n, p in trained.items():
            p.copy_(first[n])
    merged = dict(model.merge_and_unload().named_parameters())
    return result | {"losses": losses, "merged": {n: tensor(p) for n, p in merged.items() if ".0." in n and p.dim() == 2}}


def main():
    out = ROOT / "nn" / "zoo" / "testdata" / "lora"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, (build, lora)) in enumerate(CASES.items()):
        adapter = ROOT / "nn" / "hub" / "peft" / "testdata" / name
        shutil.rmtree(adapter, ignore_errors=True)
        text = json.dumps(golden(build, lora, seed, adapter, SAVED.get(name, torch.float32)), default=str).encode()
        path = out / f"{name}.json.gz"
        path.write_bytes(gzip.compress(text, mtime=0))
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
