"""Compare what is read of config.json and of weights with transformers, on the CPU in float32.

    scripts/parity/models.sh

Each model is one that transformers saved, or one whose files were changed behind its back.
The logits of transformers, of the directory as it lies and of what `gotrain import` makes
of it must be the same, or both must be refused in one line that names the key or tensor.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from small import SIZES, VOCAB, Table, edit, load, logits, own_logits, randomize, save
from transformers import (Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config,
                          Qwen3ForCausalLM)

TMP = Path(sys.argv[1])
KINDS = {"llama": (LlamaConfig, LlamaForCausalLM), "mistral": (MistralConfig, MistralForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM), "qwen3": (Qwen3Config, Qwen3ForCausalLM),
         "gemma3_text": (Gemma3TextConfig, Gemma3ForCausalLM)}
GPT2 = dict(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=256, eos_token_id=257)
table = Table()
number = 0


def base(kind, **config):
    global number
    number += 1
    if kind == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(**GPT2 | config))
    else:
        c, m = KINDS[kind]
        model = m(c(**SIZES | config))
    return save(randomize(model), TMP / "models" / str(number))


def compare(name, path, refusal=""):
    try:
        theirs = logits(load(path))
    except Exception as e:
        theirs = f"{type(e).__name__}: {e}"
    table.row(name, own_logits(TMP / "logits", path), theirs, refusal)
    out = path.with_name(path.name + "-imported")
    run = subprocess.run([TMP / "gotrain", "import", path, out, "--json"], capture_output=True, text=True)
    if run.returncode:
        ours = run.stderr.strip()
        assert run.returncode in (1, 2) and not out.exists() and run.stdout == "", (run, out)
    else:
        report = json.loads(run.stdout)
        assert report["parity"]["exact"] and report["parity"]["account"]["kept"] == report["parity"]["account"]["equal"], report
        try:
            ours = logits(load(out))  # transformers reads what was written
        except Exception as e:
            ours = f"transformers does not read it: {e}"
    table.row(name + ", imported", ours, theirs, refusal)


def config(name, kind="llama", refusal="", made=None, **keys):
    """keys are changed in config.json."""
    path = base(kind, **made or {})
    edit(path / "config.json", **keys)
    compare(name, path, refusal)


def weights(name, change, kind="llama", refusal="", made=None, **keys):
    """change gets the tensors and returns others."""
    path = base(kind, **made or {})
    file = path / "model.safetensors"
    save_file({n: v.contiguous().clone() for n, v in change(load_file(file)).items()}, file, {"format": "pt"})
    if keys:
        edit(path / "config.json", **keys)
    compare(name, path, refusal)


def rope(name, refusal="", kind="llama", **keys):
    """keys in place of those of rotary positions."""
    config("rope: " + name, kind, refusal, **dict(rope_parameters=..., rope_theta=..., rope_scaling=...) | keys)


for kind in ("llama", "mistral", "qwen2", "qwen3"):
    config(kind, kind)
config("gpt2", "gpt2")

GEMMA = dict(head_dim=16, num_hidden_layers=4, sliding_window=6, query_pre_attn_scalar=12, layer_types=["sliding_attention", "full_attention"] * 2)
OLD = dict(rope_parameters=..., rope_theta=300.0, rope_local_base_freq=50.0)


def gemma(name, refusal="", made=GEMMA, **keys):
    config("gemma3: " + name, "gemma3_text", refusal, made, **keys)


gemma("two kinds of layers")
gemma("defaults", made=dict(head_dim=8))
gemma("old keys", layer_types=..., sliding_window_pattern=2, **OLD)
gemma("old keys, scaled", rope_scaling={"rope_type": "linear", "factor": 8.0}, **OLD)
gemma("scaled", rope_parameters={"full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 50.0}})
gemma("own head, biases", made=GEMMA | dict(tie_word_embeddings=False, attention_bias=True))
gemma("all local", made=GEMMA | dict(layer_types=["sliding_attention"] * 4))
gemma("layers in another order", "layer_types", made=GEMMA | dict(layer_types=["full_attention"] + ["sliding_attention"] * 3))
gemma("capped", "final_logit_softcapping", final_logit_softcapping=30.0)
gemma("both sides", "use_bidirectional_attention", use_bidirectional_attention=True)
gemma("yarn", "rope_type", rope_scaling={"rope_type": "yarn", "factor": 4.0}, **OLD)
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
rope("absent")
rope("theta", rope_theta=500.0)
rope("theta of old and new", rope_theta=500.0, rope_parameters={"rope_theta": 77.0, "rope_type": "default"})
rope("theta in rope_scaling", rope_scaling={"rope_theta": 77.0, "rope_type": "linear", "factor": 2.0})
rope("linear, old", rope_scaling={"type": "linear", "factor": 4.0})
rope("linear, new", rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0})
rope("default with factor", rope_parameters={"rope_type": "default", "factor": 4.0, "rope_theta": 300.0})
rope("old and new alike", rope_theta=300.0, rope_scaling={"rope_type": "linear", "factor": 4.0}, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0})
rope("yarn", rope_parameters=YARN)
rope("yarn without original", rope_parameters={"rope_type": "yarn", "factor": 4.0})
rope("yarn, original beside", original_max_position_embeddings=8, rope_scaling=YARN)
rope("yarn, factor null", rope_parameters=YARN | {"factor": None})
rope("yarn, attention_factor", rope_parameters=YARN | {"attention_factor": 0.7})
rope("yarn, betas", rope_parameters=YARN | {"beta_fast": 16, "beta_slow": 2})
rope("yarn, mscale", rope_parameters=YARN | {"mscale": 0.707, "mscale_all_dim": 1.3})
rope("yarn, mscale alone", rope_parameters=YARN | {"mscale": 0.707})
rope("yarn, mscale_all_dim alone", rope_parameters=YARN | {"mscale_all_dim": 0.707})
rope("yarn, factor below 1", rope_parameters=YARN | {"factor": 0.5})
rope("llama3", rope_parameters={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16})
rope("llama3 without original", rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0})
rope("qwen, yarn", kind="qwen2", rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16})
rope("yarn, truncate", rope_parameters=YARN | {"truncate": False})
rope("yarn, truncate, old", rope_scaling=YARN | {"truncate": False, "beta_fast": 8, "beta_slow": 0.5})
rope("no type", "rope_scaling.factor", rope_scaling={"factor": 4.0})
rope("no type, new", "rope_parameters.factor", rope_parameters={"factor": 4.0, "rope_theta": 100.0})
rope("no factor", "factor", rope_scaling={"type": "linear"})
rope("dynamic", rope_scaling={"type": "dynamic", "factor": 2.0})
rope("dynamic without factor", "factor", rope_scaling={"type": "dynamic"})
LONG = {"rope_type": "longrope", "short_factor": [1.0, 1.1, 1.4, 2.5], "long_factor": [1.0, 2.0, 5.5, 12.25], "original_max_position_embeddings": 16}
rope("longrope beyond the old context", rope_parameters=LONG)
rope("longrope inside the old context", rope_parameters=LONG | {"original_max_position_embeddings": 32})
rope("longrope, factor", rope_scaling=LONG | {"factor": 2.0})
rope("longrope, attention_factor", rope_scaling=LONG | {"factor": 2.0, "attention_factor": 1.3})
rope("longrope, original beside", original_max_position_embeddings=8, rope_scaling=LONG)
rope("longrope without original", rope_scaling={k: v for k, v in LONG.items() if k[0] != "o"})
rope("longrope of another head", "short_factor", rope_scaling=LONG | {"short_factor": [1.0]})
rope("partial", "partial_rotary_factor", rope_parameters={"rope_type": "default", "rope_theta": 100.0, "partial_rotary_factor": 0.5})
rope("contradiction", "rope_parameters", rope_scaling={"rope_type": "linear", "factor": 4.0}, rope_parameters={"rope_type": "default", "rope_theta": 100.0})
rope("sections", "mrope_section", rope_scaling={"rope_type": "default", "mrope_section": [1, 1, 2]})

config("attention_bias alone", made=dict(attention_bias=True))
config("mlp_bias alone", made=dict(mlp_bias=True))
config("both biases", made=dict(attention_bias=True, mlp_bias=True))
config("qwen3, attention_bias", "qwen3", made=dict(attention_bias=True))
config("bias stored, config without", made=dict(attention_bias=True), attention_bias=False, refusal=".bias")
config("mistral, bias", "mistral", attention_bias=True, refusal="attention_bias")
config("window", "mistral", made=dict(sliding_window=6))
config("window absent", "mistral", sliding_window=...)
config("window null", "mistral", sliding_window=None)
config("window in llama", sliding_window=6, refusal="sliding_window")
config("qwen2, window of no layer", "qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=28, layer_types=...)
config("qwen2, window of all", "qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=0, layer_types=...)
config("qwen2, window of some", "qwen2", use_sliding_window=True, sliding_window=6, max_window_layers=1, layer_types=..., refusal="max_window_layers")
config("qwen3, layer_types mixed", "qwen3", made=dict(use_sliding_window=True, sliding_window=6, max_window_layers=1), refusal="layer_types")
config("qwen2, window not used", "qwen2", use_sliding_window=False, sliding_window=6, layer_types=...)
for name in ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_accurate", "gelu_python", "relu", "relu2", "swish"):
    config("activation " + name, hidden_act=name)
for name in ("quick_gelu", "tanh", "mish", "gelu_10"):
    config("activation " + name, hidden_act=name, refusal=name)
config("key heads absent", num_key_value_heads=..., made=dict(num_key_value_heads=4))
config("key heads null", "qwen2", num_key_value_heads=None, made=dict(num_key_value_heads=4))
config("head_dim", made=dict(head_dim=12))
config("head_dim absent", head_dim=...)
config("eps", rms_norm_eps=0.3)
config("pretraining_tp", pretraining_tp=2)
config("dtype", dtype="bfloat16")
config("unknown key", surprise=3)
for key, value in (("final_logit_softcapping", 30.0), ("attn_logit_softcapping", 50.0), ("logit_scale", 0.5), ("embedding_multiplier", 12.0), ("residual_multiplier", 0.2),
                   ("partial_rotary_factor", 0.5), ("num_local_experts", 8), ("quantization_config", {"quant_method": "gptq", "bits": 4}), ("pruned_heads", {"0": [1]}),
                   ("mlp_bias", 3), ("is_encoder_decoder", True), ("eos_token_id", 260), ("bos_token_id", 1000), ("pad_token_id", 999), ("vocab_size", 300), ("num_hidden_layers", 2)):
    config(f"{key} {value}", refusal={"vocab_size": "has shape", "num_hidden_layers": "layers.2."}.get(key, key), **{key: value})
config("gpt2, by other names", "gpt2", n_embd=..., n_layer=..., n_head=..., n_positions=..., hidden_size=32, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
config("gpt2, upcast", "gpt2", reorder_and_upcast_attn=True)
config("gpt2, layer index", "gpt2", scale_attn_by_inverse_layer_idx=True, refusal="scale_attn_by_inverse_layer_idx")
config("gpt2, not scaled", "gpt2", scale_attn_weights=False, refusal="scale_attn_weights")
config("gpt2, n_inner", "gpt2", made=dict(n_inner=48))

HEAD = torch.randn(VOCAB, 32, generator=torch.Generator().manual_seed(9)) * 0.1
TIED = dict(tie_word_embeddings=True)
weights("tied, head of its own", lambda t: t | {"lm_head.weight": HEAD}, made=TIED)
weights("tied, copy of the table", lambda t: t | {"lm_head.weight": t["model.embed_tokens.weight"]}, made=TIED)
weights("tied, head in place of the table", lambda t: {n.replace("model.embed_tokens", "lm_head"): v for n, v in t.items()}, made=TIED)
weights("gpt2, head of its own", lambda t: t | {"lm_head.weight": HEAD}, kind="gpt2")
weights("gpt2, flag absent, head of its own", lambda t: t | {"lm_head.weight": HEAD}, kind="gpt2", tie_word_embeddings=...)
weights("flag false, no head", lambda t: t, made=TIED, tie_word_embeddings=False, refusal="lm_head.weight")
weights("gpt2, without prefix", lambda t: {n.removeprefix("transformer."): v for n, v in t.items()}, kind="gpt2")
weights("gpt2, masks", lambda t: t | {"transformer.h.0.attn.bias": torch.ones(1, 1, 64, 64), "transformer.h.1.attn.masked_bias": torch.tensor(-1e4)}, kind="gpt2")
weights("frequencies", lambda t: t | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})
weights("half", lambda t: {n: v.half() for n, v in t.items()})
weights("mixed types", lambda t: {n: v.bfloat16() if "proj" in n else v for n, v in t.items()})
weights("a norm for queries", lambda t: t | {"model.layers.0.self_attn.q_norm.weight": torch.ones(8)}, refusal="q_norm")
weights("one bias of a layer", lambda t: t | {"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}, refusal="q_proj.bias")
weights("a tensor missing", lambda t: {n: v for n, v in t.items() if "norm" not in n}, refusal="norm")
weights("a value head", lambda t: t | {"score.weight": torch.ones(2, 32)}, refusal="score.weight")
weights("pictures", lambda t: t | {"vision_tower.patch.weight": torch.ones(2, 2)}, refusal="vision_tower")
weights("integers", lambda t: t | {"model.norm.weight": torch.ones(32, dtype=torch.int32)}, refusal="model.norm.weight")
weights("another shape", lambda t: t | {"model.norm.weight": torch.ones(31)}, refusal="model.norm.weight")


def wrapped(name, change, want):
    """Names that transformers does not read: what is computed must be what the plain file computes."""
    path, plain = base("llama"), logits(load(TMP / "models" / str(number)))
    file = path / "model.safetensors"
    save_file({change(n): v for n, v in load_file(file).items()}, file, {"format": "pt"})
    table.row(name, own_logits(TMP / "logits", path), plain, want)


wrapped("torch.compile", lambda n: "_orig_mod." + n, "")
wrapped("DistributedDataParallel", lambda n: "module." + n, "")
wrapped("both", lambda n: "module._orig_mod." + n, "")
wrapped("peft", lambda n: "base_model.model." + n, "")
wrapped("a module", lambda n: "model." + n, "")
wrapped("language_model", lambda n: n.replace("model.", "model.language_model.", 1) if n.startswith("model.") else n, "")
wrapped("compiled layers", lambda n: n.replace("layers.1.", "layers.1._orig_mod."), "")
wrapped("peft with base_layer", lambda n: "base_model.model." + n.replace("q_proj.", "q_proj.base_layer."), "base_layer")
wrapped("unknown", lambda n: "some.thing." + n, "some.thing.")


def sharded(name, change, refusal=""):
    """change gets the weight_map and the directory."""
    path = base("llama")
    load(path).save_pretrained(path, max_shard_size="30KB")
    (path / "model.safetensors").unlink(missing_ok=True)
    index = path / "model.safetensors.index.json"
    text = json.loads(index.read_text())
    change(text["weight_map"], path)
    index.write_text(json.dumps(text))
    compare(name, path, refusal)


def unlisted(m, path):
    m.pop("model.norm.weight")


def gone(m, path):
    file = path / m["model.norm.weight"]
    save_file({n: v for n, v in load_file(file).items() if n != "model.norm.weight"}, file, {"format": "pt"})


def pointer(m, path):
    (path / m["model.norm.weight"]).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 30000\n")


sharded("shards", lambda m, p: None)
sharded("index lists what is not there", lambda m, p: m.update({"model.layers.0.self_attn.rotary_emb.inv_freq": m["model.norm.weight"]}))
sharded("index lists a head that is not there", lambda m, p: m.update({"score.weight": m["model.norm.weight"]}))
sharded("index does not list", unlisted)
sharded("index lists what is needed and not there", gone, "model.norm.weight")
sharded("a shard is a pointer", pointer, "Git LFS")
sharded("a shard is missing", lambda m, p: (p / m["model.norm.weight"]).unlink(), "safetensors")

for name in ("my [v2] model", "cost$5", "a*b?"):
    path = base("llama")
    shutil.copytree(path, path.with_name(name))
    compare("folder " + name, path.with_name(name))
sys.exit(table.end("models"))
