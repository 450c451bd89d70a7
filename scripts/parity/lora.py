"""Compare low-rank adapters with peft, on the CPU in float32.

    scripts/parity/lora.sh [file.gguf]

Adapters that peft makes and saves, with random B, on the model of the GGUF file:
logits of base and adapter, the adapter merged by import, and taken out again by
export; then one goes on training here, and peft loads what comes out of that.
Prints one table and exits 1 where a bound is exceeded.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

torch.set_num_threads(2)
torch.manual_seed(1)
TMP, FILE = Path(sys.argv[1]), Path(sys.argv[2])
IDS = [int(i) for i in torch.randint(0, 49152, (48,))]
CASES = {
    "query and value, r 8": dict(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
    "all-linear, rslora, r 16": dict(r=16, lora_alpha=8, target_modules="all-linear", use_rslora=True),
    "regular expression, r 3": dict(r=3, lora_alpha=5, target_modules=r".*\.(1?[05])\.(self_attn\.[ko]_proj|mlp\.down_proj)"),
    "some layers, r 1": dict(r=1, lora_alpha=1.5, target_modules=["gate_proj"], layers_to_transform=[0, 7, 29]),
    "saved in bfloat16, r 4": dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "up_proj"]),
}
rows = []


def check(name, value, bound):
    rows.append((name, value, bound))
    print(f"{name:64} {value:10.3g}  bound {bound:g}", flush=True)


def gotrain(*args):
    return json.loads(subprocess.run([TMP / "gotrain", *map(str, args), "--json"], check=True, stdout=subprocess.PIPE).stdout)


def own_logits(model, *adapter):
    subprocess.run([TMP / "logits", "-model", model, *adapter, "-ids", json.dumps(IDS), "-out", TMP / "logits.st"], check=True)
    return load_file(TMP / "logits.st")["logits"]


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def difference(a, b):
    return (a - b).abs().max().item()


def base():
    return AutoModelForCausalLM.from_pretrained(TMP / "base", dtype=torch.float32).eval()


gotrain("import", FILE, TMP / "base")
plain = logits(base())
check(f"base (largest logit {plain.abs().max():.3g})", difference(own_logits(TMP / "base"), plain), 1e-3)
for name, lora in CASES.items():
    case = TMP / name.replace(" ", "-").replace(",", "")
    model = get_peft_model(base(), LoraConfig(task_type="CAUSAL_LM", **lora)).eval()
    with torch.no_grad():
        for n, p in model.named_parameters():
            if "lora_B" in n:
                p.copy_((0.05 * torch.randn(p.shape)).bfloat16().float())
            elif "bfloat16" in name and "lora_A" in n:
                p.copy_(p.bfloat16().float())
    model.save_pretrained(case / "adapter")
    if "bfloat16" in name:
        weights = case / "adapter" / "adapter_model.safetensors"
        save_file({n: t.bfloat16() for n, t in load_file(weights).items()}, weights, {"format": "pt"})
    want = logits(model)
    check(f"{name}: logits (moved by {difference(want, plain):.3g})", difference(own_logits(TMP / "base", "-adapter", case / "adapter"), want), 2e-3)
    gotrain("import", TMP / "base", case / "merged", "--adapter", case / "adapter")
    merged = AutoModelForCausalLM.from_pretrained(case / "merged", dtype=torch.float32).eval()
    check(f"{name}: logits of transformers from the merged model", difference(logits(merged), want), 2e-3)
    theirs = dict(model.merge_and_unload().named_parameters())
    check(f"{name}: merged weights", max(difference(p, theirs[n]) for n, p in merged.named_parameters()), 1e-6)
    gotrain("export", case / "merged", case / "back", "--unmerge", "--adapter", case / "adapter", "--verify=false")
    was = load_file(TMP / "base" / "model.safetensors")
    check(f"{name}: weights with the adapter taken out", max(difference(t, was[n]) for n, t in load_file(case / "back" / "model.safetensors").items()), 1e-6)

(TMP / "tune.yaml").write_text(f"""
run: {{dir: {TMP}/tuned}}
data: {{train: [README.md], format: text}}
train: {{steps: 3, batch: 2, context: 64, eval_every: 0, sample: ""}}
optimizer: {{kind: adamw, lr: 1e-3, warmup: 0}}
""")
adapter = TMP / "all-linear-rslora-r-16" / "adapter"
subprocess.run([TMP / "gotrain", "finetune", "--config", TMP / "tune.yaml", "--base", TMP / "base", "--adapter", adapter], check=True, stderr=subprocess.DEVNULL)
gotrain("export", TMP / "tuned", TMP / "tuned-adapter", "--format", "peft")
theirs = logits(PeftModel.from_pretrained(base(), TMP / "tuned-adapter").eval())
before = logits(PeftModel.from_pretrained(base(), adapter).eval())
check(f"trained on here, in peft: logits (moved by {difference(before, theirs):.3g})",
      difference(own_logits(TMP / "base", "-adapter", TMP / "tuned"), theirs), 2e-3)
check("trained on here, in peft: against the checkpoint", difference(own_logits(TMP / "tuned"), theirs), 2e-3)
checkpoint = TMP / "tuned" / "checkpoints" / "latest"
check("the checkpoint of the adapter, by AutoModelForCausalLM", difference(logits(AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()), theirs), 1e-6)
check("the checkpoint of the adapter, by PeftModel", difference(logits(PeftModel.from_pretrained(base(), checkpoint).eval()), theirs), 1e-6)

# On a base in bfloat16 the merged weights are the sums in float32, rounded once.
gotrain("export", TMP / "base", TMP / "narrow", "--type", "bf16", "--verify=false")
gotrain("export", TMP / "narrow", TMP / "narrow-merged", "--adapter", TMP / "tuned", "--verify=false")
narrow, merged, ab = (load_file(p) for p in (TMP / "narrow" / "model.safetensors", TMP / "narrow-merged" / "model.safetensors", checkpoint / "adapter_model.safetensors"))
config = json.loads((checkpoint / "adapter_config.json").read_text())
scale = config["lora_alpha"] / (config["r"] ** (0.5 if config["use_rslora"] else 1))
other, total, untouched = 0, 0, 0
for name, w in narrow.items():
    layer = "base_model.model." + name.removesuffix(".weight")
    if layer + ".lora_A.weight" not in ab:
        untouched += (w != merged[name]).sum().item()
        continue
    change = scale * (ab[layer + ".lora_B.weight"].double() @ ab[layer + ".lora_A.weight"].double())
    other, total = other + ((w.double() + change).bfloat16() != merged[name]).sum().item(), total + w.numel()
check("merged in bfloat16: share of weights not rounded from the exact sum", other / total, 1e-4)
check("merged in bfloat16: numbers changed that no adapter changes", untouched, 0)
bad = [name for name, value, bound in rows if not value <= bound]
print(f"{len(rows) - len(bad)} of {len(rows)} within bounds")
sys.exit(1 if bad else 0)
