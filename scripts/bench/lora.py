"""Both sides of scripts/bench/lora.sh: LoRA steps of SmolLM2-135M's architecture
with random weights, by `gotrain bench` and by PyTorch with peft.

    lora.py compare GOTRAIN ROUNDS SECONDS [LENGTH [BATCH]]
    lora.py torch SECONDS LENGTH BATCH TARGETS

The first prints a table: tokens a second of the best median of the rounds, which
alternate, and the most resident memory of a process. A step is forward, backward
and AdamW on the adapters.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RANK, ALPHA = 16, 32
TARGETS = {"q_proj,v_proj": ["q_proj", "v_proj"], "all-linear": "all-linear"}
SMOLLM2 = dict(
    vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
    max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True,
)
THREADS = int(os.environ.get("THREADS", "2"))


def run_torch(seconds, length, batch, targets):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SMOLLM2, attn_implementation="sdpa"))
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules=TARGETS[targets])).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(trained, lr=2e-4, fused=True)

    def step():
        ids = torch.randint(SMOLLM2["vocab_size"], (batch, length))
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        return loss.item()

    step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 4:
        t = time.perf_counter()
        step()
        times.append(time.perf_counter() - t)
    median = sorted(times)[len(times) // 2]
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"tokens_per_s": batch * length / median, "rss_mib": rss}))


def run_gotrain(gotrain, folder, seconds, length, batch, targets):
    config = folder / "lora.yaml"
    config.write_text(f"""
base: {folder}
lora: {{rank: {RANK}, alpha: {ALPHA}, targets: [{targets}]}}
data: {{train: [none]}}
train: {{batch: {batch}, context: {length}}}
optimizer: {{kind: adamw, lr: 2e-4, clip: 0}}
""")
    command = [gotrain, "bench", "--config", config, "--seconds", str(seconds), "--json", "--threads", str(THREADS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"gotrain bench failed: {out}")
    return {"tokens_per_s": json.loads(out)["steps"][0]["tokens_per_s"], "rss_mib": usage.ru_maxrss / 1024}


def base(folder):
    """Writes what gotrain reads of a base; its weights are drawn anew."""
    (folder / "config.json").write_text(json.dumps(SMOLLM2 | {"model_type": "llama", "hidden_act": "silu"}))
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


def compare(gotrain, rounds, seconds, length=256, batch=2):
    print(f"LoRA of rank {RANK}, {batch} × {length} tokens, float32, {THREADS} threads")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base(folder)
        for targets in TARGETS:
            own, other = [], []
            for _ in range(rounds):
                own.append(run_gotrain(gotrain, folder, seconds, length, batch, targets))
                text = subprocess.check_output([sys.executable, __file__, "torch", str(seconds), str(length), str(batch), targets], text=True)
                other.append(json.loads(text.splitlines()[-1]))
            best = [max(r["tokens_per_s"] for r in side) for side in (own, other)]
            memory = [max(r["rss_mib"] for r in side) for side in (own, other)]
            print(f"{targets:14s} gotrain {best[0]:7.1f} tokens/s {memory[0]:6.0f} MiB   PyTorch + peft {best[1]:7.1f} tokens/s {memory[1]:6.0f} MiB"
                  f"   {best[0] / best[1]:.2f}× speed, {memory[0] / memory[1]:.2f}× memory", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        run_torch(float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        compare(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), *map(int, sys.argv[5:]))
