"""Compare adapter configurations with peft, on the CPU in float32.

    scripts/parity/adapters.sh

Each adapter is made and saved by peft, or is one whose adapter_config.json or weights
were changed behind its back. What PeftModel.from_pretrained computes with it must be
what this program computes, or the program must refuse it by the name of the key.
"""

import random
import sys
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from small import IDS, SIZES, VOCAB, Table, edit, load, logits, own_logits, randomize, save
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, LlamaModel

warnings.filterwarnings("ignore")
TMP = Path(sys.argv[1])
LLAMA = save(randomize(LlamaForCausalLM(LlamaConfig(**SIZES))), TMP / "llama")
TIED = save(randomize(LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True))), TMP / "tied")
GPT2 = save(randomize(GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=256, eos_token_id=257))), TMP / "gpt2")
QV = dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
table = Table()


def make(name, base, scale=0.1, **lora):
    """An adapter with random numbers, saved by peft."""
    torch.manual_seed(1)
    model = get_peft_model(load(base), LoraConfig(task_type="CAUSAL_LM", **lora))
    g = torch.Generator().manual_seed(2)
    for n, p in model.named_parameters():
        if p.requires_grad:
            p.data = p.data + scale * torch.randn(p.shape, generator=g)
    path = TMP / "adapters" / name.replace(" ", "-").replace("/", "-")
    model.save_pretrained(path)
    return path


def compare(name, base, path, refusal=""):
    try:
        theirs = logits(PeftModel.from_pretrained(load(base), path).eval())
    except Exception as e:
        theirs = f"{type(e).__name__}: {e}"
    table.row(name, own_logits(TMP / "logits", base, "-adapter", path), theirs, refusal)


def case(name, refusal="", base=LLAMA, **lora):
    try:
        path = make(name, base, **lora)
    except Exception as e:
        print(f"    {name}: peft does not make it: {type(e).__name__}: {str(e)[:100]}")
        return
    compare(name, base, path, refusal)


def changed(name, refusal="", base=LLAMA, tensors=None, lora=QV, **keys):
    path = make(name, base, **lora)
    edit(path / "adapter_config.json", **keys)
    if tensors:
        file = path / "adapter_model.safetensors"
        save_file(tensors(load_file(file)), file, {"format": "pt"})
    compare(name, base, path, refusal)


# What is computed.
case("query and value", **QV)
case("all-linear", r=3, lora_alpha=5, target_modules="all-linear")
case("rslora", r=4, lora_alpha=6, target_modules=["o_proj", "down_proj"], use_rslora=True)
case("expression", r=2, lora_alpha=3, target_modules=r".*\.(0|2)\.(self_attn\.[ko]_proj|mlp\.up_proj)")
case("expression with lookbehind", r=2, lora_alpha=3, target_modules=r"(?P<all>.*)(?<!gate)_proj")
case("whole names", r=2, target_modules=["model.layers.1.self_attn.q_proj", "layers.2.mlp.gate_proj"])
case("layers_to_transform", **QV, layers_to_transform=[0, 2])
case("one layer", **QV, layers_to_transform=1, layers_pattern="layers")
case("exclude_modules", r=2, target_modules="all-linear", exclude_modules=["q_proj", "model.layers.1.mlp.up_proj"])
case("exclude by expression", r=2, target_modules=["q_proj", "k_proj"], exclude_modules=r".*\.1\..*")
case("alpha 0.5, r 1", r=1, lora_alpha=0.5, target_modules=["up_proj"])
case("r above the width", r=40, lora_alpha=8, target_modules=["k_proj"])
case("dropout", **QV, lora_dropout=0.3)
case("gaussian", **QV, init_lora_weights="gaussian")
case("init false", **QV, init_lora_weights=False)
case("orthogonal", **QV, init_lora_weights="orthogonal")
case("tied base", base=TIED, **QV)
case("gpt2, fan_in_fan_out", base=GPT2, r=3, lora_alpha=6, target_modules=["c_attn"], fan_in_fan_out=True)
case("gpt2, fan_in_fan_out false", base=GPT2, r=3, lora_alpha=6, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=False)
case("gpt2, all-linear", base=GPT2, r=3, lora_alpha=6, target_modules="all-linear")
case("llama, fan_in_fan_out", **QV, fan_in_fan_out=True)
case("inference_mode", **QV, inference_mode=True)
changed("keys left out", r=..., lora_alpha=..., lora=dict(target_modules=["q_proj"]))
changed("half precision", tensors=lambda t: {n: v.half() for n, v in t.items()})
changed("bfloat16", tensors=lambda t: {n: v.bfloat16() for n, v in t.items()})
changed("old names", tensors=lambda t: {n.replace(".weight", ".default.weight"): v for n, v in t.items()}, refusal="both")
changed("wider targets", target_modules=["q_proj", "v_proj", "o_proj"])
changed("eva", init_lora_weights="eva", eva_config={"rho": 2.0})
changed("lora_ga", init_lora_weights="lora_ga")
changed("loftq_config without loftq", loftq_config={"loftq_bits": 4, "loftq_iter": 1})
changed("unknown key, empty", surprise=None, more={})

# What is refused.
case("pissa", "init_lora_weights", **QV, init_lora_weights="pissa")
case("pissa_niter_4", "init_lora_weights", **QV, init_lora_weights="pissa_niter_4")
case("olora", "init_lora_weights", **QV, init_lora_weights="olora")
case("mica", "init_lora_weights", **QV, init_lora_weights="mica")
changed("loftq", "init_lora_weights", init_lora_weights="loftq", loftq_config={"loftq_bits": 4, "loftq_iter": 1})
changed("corda", "init_lora_weights", init_lora_weights="corda")
case("dora", "use_dora", **QV, use_dora=True)
case("rank_pattern", "rank_pattern", **QV, rank_pattern={"v_proj": 2})
case("alpha_pattern", "alpha_pattern", **QV, alpha_pattern={"layers.1.self_attn.v_proj": 3})
case("bias all", "bias", base=GPT2, r=3, target_modules=["c_attn"], bias="all")
case("bias lora_only", "bias", base=GPT2, r=3, target_modules=["c_attn"], bias="lora_only")
case("modules_to_save", "modules_to_save", **QV, modules_to_save=["lm_head"])
case("trainable_token_indices", "trainable_token_indices", **QV, trainable_token_indices=[3, 5])
case("embedding", "embed_tokens", r=2, target_modules=["embed_tokens", "q_proj"])
case("head", "lm_head", r=2, target_modules=["lm_head"])
case("lora_bias", "lora_bias", base=GPT2, r=2, target_modules=["c_fc"], lora_bias=True)
case("layer_replication", "layer_replication", **QV, layer_replication=[[0, 2], [1, 3]])
case("target_parameters", "target_parameters", r=2, target_modules=[], target_parameters=["q_proj.weight"])
case("alora", "alora_invocation_tokens", **QV, alora_invocation_tokens=[4])
changed("fewer targets than weights", "v_proj", target_modules=["q_proj"])
changed("fewer layers than weights", "layers.", layers_to_transform=[0])
changed("excluded weights", "v_proj", exclude_modules=["v_proj"])
changed("random layers", "o_proj", target_modules=["q_proj", "v_proj", "o_proj"], init_lora_weights=False)
changed("another rank", "rank", r=3)
changed("ia3", "peft_type", peft_type="IA3")
changed("unknown key", "surprise", surprise=3)
changed("qalora", "use_qalora", use_qalora=True)

# One that was made for the model without its head.
torch.manual_seed(1)
trunk = get_peft_model(LlamaModel.from_pretrained(LLAMA, dtype=torch.float32), LoraConfig(**QV))
for n, p in trunk.named_parameters():
    if "lora_B" in n:
        p.data = 0.1 * torch.randn(p.shape)
trunk.save_pretrained(TMP / "trunk")
head = load(LLAMA).lm_head
with torch.no_grad():
    theirs = head(trunk.eval()(torch.tensor([IDS])).last_hidden_state)[0]
table.row("of the model without head", own_logits(TMP / "logits", LLAMA, "-adapter", TMP / "trunk"), theirs, "")

# Configurations at random.
choose = random.Random(1)
linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
for i in range(20):
    lora = dict(r=choose.choice([1, 2, 5, 16]), lora_alpha=choose.choice([1, 3.5, 16]), use_rslora=choose.random() < 0.5,
                target_modules=choose.choice([choose.sample(linears, 3), "all-linear", r".*(self_attn|mlp)\.[a-z]+_proj"]))
    if choose.random() < 0.4 and isinstance(lora["target_modules"], list):
        lora["layers_to_transform"] = choose.sample([0, 1, 2], 2)
    if choose.random() < 0.3:
        lora["exclude_modules"] = [choose.choice(linears)]
    lora["init_lora_weights"] = choose.choice([True, "gaussian", False])
    try:
        case(f"at random {i}: {lora}", base=choose.choice([LLAMA, TIED]), **lora)
    except ValueError as e:
        print("   ", e)
sys.exit(table.end("adapters"))
