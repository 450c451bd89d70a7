"""Compare what fine-tuning makes of a base with a longer context or with more tokens with
transformers, on the CPU in float32.

    scripts/parity/bases.sh

The base is one that transformers saved. A run of two steps with a rate that changes
nothing trains it further: transformers reads the checkpoint, and its logits are this
program's, and those of transformers' own model with the same change.
"""

import json
import subprocess
import sys
from pathlib import Path

from small import SIZES, VOCAB, Table, edit, load, logits, own_logits, randomize, save
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

TMP = Path(sys.argv[1])
TEXT = TMP / "text.txt"
TEXT.write_text("\n\n".join(f"Light number {i} is refracted by the glass, and red rays are not." for i in range(400)))
CONFIG = TMP / "config.yaml"
CONFIG.write_text(f"""
data: {{train: [{TEXT}], cache_dir: {TMP}/cache}}
train: {{steps: 2, batch: 2, eval_every: 0, save_every: 0, sample: ""}}
optimizer: {{lr: 1e-12, warmup: 0, weight_decay: 0}}
""")
table = Table()
number = 0


def finetune(base, *assignments):
    """The checkpoint, or the error's text."""
    run = base.parent / (base.name + "-run")
    sets = [x for a in assignments for x in ("--set", a)]
    done = subprocess.run([TMP / "gotrain", "finetune", "--config", CONFIG, "--base", base, "--run", run, *sets], capture_output=True, text=True)
    return run / "checkpoints" / "latest" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def compare(name, model, assignments, change, refusal=""):
    """change makes of transformers' model what the assignments ask for."""
    global number
    number += 1
    base = save(randomize(model), TMP / "bases" / str(number))
    checkpoint = finetune(base, *assignments)
    if isinstance(checkpoint, str):
        table.row(name, checkpoint, "", refusal)
        return None
    theirs = logits(load(checkpoint))
    table.row(name, own_logits(TMP / "logits", checkpoint), theirs, refusal)
    want = logits(change(base))
    table.row(name + ", as transformers changes it", theirs[:, :want.shape[1]], want, refusal)
    return checkpoint


def rope(name, context, refusal="", model=None, **scaling):
    """scaling in our keys and, where they differ, transformers'."""
    hf = {"type": "rope_type", "original": "original_max_position_embeddings"}

    def change(base):
        theirs = {hf.get(k, k): v for k, v in scaling.items()}
        edit(base / "config.json", max_position_embeddings=context, rope_parameters=theirs | {"rope_theta": 10000.0} if theirs else ..., rope_theta=...)
        return load(base)

    sets = [f"model.context={context}"] + ([f"model.rope_scaling={json.dumps(scaling)}"] if scaling else [])
    compare("rope: " + name, model or LlamaForCausalLM(LlamaConfig(**SIZES | dict(max_position_embeddings=16))), sets, change, refusal)


rope("none", 64)
rope("linear", 64, type="linear", factor=4.0)
rope("llama3", 64, type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original=16)
rope("yarn", 64, type="yarn", factor=4.0, original=16)
rope("yarn, truncate", 64, type="yarn", factor=4.0, original=16, beta_fast=4.0, beta_slow=0.5, truncate=False)
rope("longrope", 64, type="longrope", factor=4.0, original=16, short_factor=[1.0, 1.1, 1.2, 1.3], long_factor=[1.0, 2.0, 5.5, 9.0])
rope("qwen3, yarn", 32, model=Qwen3ForCausalLM(Qwen3Config(**SIZES | dict(max_position_embeddings=16, head_dim=8))), type="yarn", factor=2.0, original=16)
rope("dynamic", 64, "dynamic scaling turns positions otherwise in each length", type="dynamic", factor=4.0)
compare("rope: gpt2", GPT2LMHeadModel(GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=1, n_head=4, n_positions=32, bos_token_id=256, eos_token_id=257)),
        ["model.context=64"], None, "which has learned 32 positions")

TOKENS = ["<|im_start|>", "<|im_end|>", "</s>", "<tool>"]
SENTENCE = "<|im_start|>user\nWhat is light?<|im_end|>\n<tool>x</s>"


def tokens(name, model, multiple=0):
    def change(base):
        t, m = AutoTokenizer.from_pretrained(base), load(base)
        t.add_special_tokens({"extra_special_tokens": TOKENS})
        if len(t) > m.config.vocab_size:
            m.resize_token_embeddings(len(t), pad_to_multiple_of=multiple or None)
        t.save_pretrained(base.parent / (base.name + "-theirs"))
        return m

    checkpoint = compare("tokens: " + name, model, ["tokenizer.add_special_tokens=" + json.dumps(TOKENS), f"tokenizer.pad_to_multiple_of={multiple}"], change)
    theirs = AutoTokenizer.from_pretrained(TMP / "bases" / f"{number}-theirs")
    ours = AutoTokenizer.from_pretrained(checkpoint)
    ids = theirs(SENTENCE).input_ids
    own = json.loads(subprocess.run([TMP / "gotrain", "tokenizer", "encode", "--tokenizer", checkpoint, "--special", "--json", SENTENCE], capture_output=True, text=True).stdout or "null")
    rows = load(checkpoint).get_input_embeddings().weight.shape[0]
    print("   ", len(theirs), "tokens,", rows, "rows,", ids[:3], own if not isinstance(own, dict) else own.get("ids", own))
    assert ids == ours(SENTENCE).input_ids and all(ours.convert_tokens_to_ids(t) == theirs.convert_tokens_to_ids(t) for t in TOKENS), (ids, ours(SENTENCE).input_ids)
    assert multiple == 0 or rows % multiple == 0


BYTES = dict(SIZES, vocab_size=258)
tokens("tied", LlamaForCausalLM(LlamaConfig(**BYTES | dict(tie_word_embeddings=True))))
tokens("own head", LlamaForCausalLM(LlamaConfig(**BYTES)))
tokens("own head, padded", LlamaForCausalLM(LlamaConfig(**BYTES)), 64)
tokens("spare rows", LlamaForCausalLM(LlamaConfig(**SIZES | dict(vocab_size=300))))
tokens("gpt2", GPT2LMHeadModel(GPT2Config(vocab_size=258, n_embd=32, n_layer=1, n_head=4, n_positions=64, bos_token_id=256, eos_token_id=257)), 8)
sys.exit(table.end("bases"))
