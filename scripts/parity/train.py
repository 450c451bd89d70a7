"""Compare gotrain with PyTorch and transformers, on the CPU in float32.

    scripts/parity/train.sh [steps]

1. Trains the same model from the same weights on the same batches in PyTorch
   and compares losses, gradient norms, weights and optimizer state.
2. Loads a checkpoint with transformers' AutoModelForCausalLM and AutoTokenizer
   and compares token ids and log-likelihoods with `gotrain score`.

Prints one table and exits 1 where a bound is exceeded.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import yaml
from safetensors import safe_open

torch.set_num_threads(2)
ROOT = Path(__file__).resolve().parent.parent.parent
rows = []


def check(name, value, bound):
    rows.append((name, value, bound))


def load(path):
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k) for k in f.keys()}, yaml.safe_load(f.metadata()["config"])


def hf_model(config, weights):
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    m = config["model"]
    if m["family"] == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(
            vocab_size=m["vocab"], n_positions=m["context"], n_embd=m["width"], n_layer=m["layers"], n_head=m["heads"],
            resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))
    else:
        vocab, width = weights["model.embed_tokens.weight"].shape
        model = LlamaForCausalLM(LlamaConfig(
            vocab_size=vocab, hidden_size=width, num_hidden_layers=m["layers"], num_attention_heads=m["heads"],
            num_key_value_heads=m.get("kv_heads") or m["heads"], max_position_embeddings=m["context"], rms_norm_eps=1e-5,
            intermediate_size=weights["model.layers.0.mlp.gate_proj.weight"].shape[0],
            tie_word_embeddings="lm_head.weight" not in weights))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all("lm_head" in k or k.endswith(".attn.bias") for k in missing), (missing, unexpected)
    model.tie_weights()
    return model


def training(name, path):
    tensors, config = load(path)
    initial = {k[len("initial."):]: v for k, v in tensors.items() if k.startswith("initial.")}
    model = hf_model(config, initial).train()
    o = config["optimizer"]
    named = dict(model.named_parameters())
    groups = [{"params": [p for p in named.values() if p.dim() > 1], "weight_decay": o["weight_decay"]},
              {"params": [p for p in named.values() if p.dim() < 2], "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=float(o["lr"]), betas=tuple(o["betas"]), eps=float(o["eps"]))
    loss_diff = norm_diff = 0.0
    for i in range(len(tensors["losses"])):
        for g in opt.param_groups:
            g["lr"] = tensors["lrs"][i].item()
        logits = model(tensors["inputs"][i].long()).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tensors["targets"][i].long().flatten(), ignore_index=-1)
        opt.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), o["clip"])
        opt.step()
        loss_diff = max(loss_diff, abs(loss.item() - tensors["losses"][i].item()))
        norm_diff = max(norm_diff, abs(norm.item() / tensors["grad_norms"][i].item() - 1))
    steps = len(tensors["losses"])
    check(f"{name}: NLL over {steps} steps, largest difference", loss_diff, 1e-3)
    check(f"{name}: gradient norm, largest relative difference", norm_diff, 1e-2)
    worst = {"weights": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}
    for key, p in named.items():
        for kind, value in (("weights", p.data), ("exp_avg", opt.state[p]["exp_avg"]), ("exp_avg_sq", opt.state[p]["exp_avg_sq"])):
            want = tensors["final." + (key if kind == "weights" else f"{kind}.{key}")]
            worst[kind] = max(worst[kind], ((value - want).norm() / want.norm().clamp_min(1e-12)).item())
    for kind, value in worst.items():
        check(f"{name}: final {kind}, largest relative difference of a tensor", value, 2e-2)


def checkpoint(name, config, sets, binary):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as d:
        run = Path(d) / "run"
        subprocess.run([binary, "pretrain", "--config", config, "--run", run] + [f"--set={s}" for s in sets], check=True, capture_output=True)
        model_dir = run / "checkpoints" / "latest"
        pairs = [{"prompt": "The Rays of Light", "completion": " which differ in Colour, differ also in Degrees of Refrangibility."},
                 {"prompt": "Prop. I. naïve", "completion": " 1234 – 5678,\n\tPrisms; über!"}]
        data = Path(d) / "pairs.jsonl"
        data.write_text("".join(json.dumps(p) + "\n" for p in pairs))
        out = json.loads(subprocess.run([binary, "score", "--model", model_dir, "--data", data, "--json"], check=True, capture_output=True).stdout)
        model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
        tok = AutoTokenizer.from_pretrained(model_dir)
        worst = 0.0
        for pair, got in zip(pairs, out["results"]):
            prompt, completion = tok(pair["prompt"])["input_ids"], tok(pair["completion"])["input_ids"]
            with torch.no_grad():
                logp = model(torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
            want = [logp[len(prompt) - 1 + i, t].item() for i, t in enumerate(completion)]
            assert len(want) == len(got["token_logprobs"]), "token counts differ"
            worst = max(worst, max(abs(a - b) for a, b in zip(want, got["token_logprobs"])))
        check(f"{name}: log-likelihood of a token against transformers, largest difference", worst, 1e-4)


def main():
    steps, binary, dumps = sys.argv[1], sys.argv[2], sys.argv[3:]
    for d in dumps:
        training(Path(d).stem, d)
    short = ["train.steps=40", "train.eval_every=0", "train.save_every=0", "train.sample_tokens=0"]
    checkpoint("gpt2 checkpoint", "configs/opticks.yaml", short + ["model.family=gpt2"], binary)
    checkpoint("llama checkpoint", "configs/opticks.yaml", short + ["model.family=llama", "model.kv_heads=2", "model.tied=false"], binary)
    width = max(len(r[0]) for r in rows)
    failed = False
    for name, value, bound in rows:
        ok = value <= bound
        failed |= not ok
        print(f"{name:<{width}}  {value:9.2e}  bound {bound:.0e}  {'ok' if ok else 'FAILED'}")
    sys.exit(failed)


main()
