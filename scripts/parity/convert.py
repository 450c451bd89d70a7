"""Compare gotrain's import and export with transformers, on the CPU in float32.

    scripts/parity/convert.sh [file.gguf]

1. Random models of each family that transformers writes: imported, exported as
   GGUF, and read again by transformers (with the dequantisation of the package
   gguf); logits of transformers before, of gotrain, and of transformers after.
2. A quantised GGUF file: the imported weights against transformers' reading of it,
   bit for bit; logits; token ids and chat template; exports of every type; a chat.

Prints one table and exits 1 where a bound is exceeded.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import gguf
import sentencepiece
import torch
from texts import texts
from gguf import GGUFReader
from gguf.vocab import SentencePieceVocab
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, LlamaForCausalLM, MistralConfig, PreTrainedTokenizerFast, Qwen2Config,
    Qwen3Config,
)

torch.set_num_threads(2)
torch.manual_seed(1)
TMP, FILE = Path(sys.argv[1]), Path(sys.argv[2])
TEXT = ("Hello, world! It's 12345.678 o'clock\n\n  if (x<=0) {\treturn; }\n"
        "Äpfel naïve — 你好，世界 Привет 🦀 <|im_end|>\n")
rows = []


def check(name, value, bound):
    rows.append((name, value, bound))
    print(f"{name:64} {value:10.3g}  bound {bound:g}", flush=True)


def gotrain(*args):
    out = subprocess.run([TMP / "gotrain", *map(str, args), "--json"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out)


def own(directory, ids, greedy=1):
    subprocess.run([TMP / "logits", "-model", directory, "-ids", json.dumps(ids), "-greedy", str(greedy),
                    "-out", TMP / "logits.st"], check=True)
    return load_file(TMP / "logits.st")


def own_logits(directory, ids):
    return own(directory, ids)["logits"]


def hf_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


def difference(a, b):
    return (a - b).abs().max().item()


def byte_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens(["<|endoftext|>"])
    return PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|endoftext|>")


SIZES = dict(vocab_size=272, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2)
FAMILIES = {
    "gpt2": GPT2Config(vocab_size=272, n_positions=1024, n_embd=64, n_layer=2, n_head=4, initializer_range=0.2,
                       bos_token_id=256, eos_token_id=256),
    "llama": LlamaConfig(**SIZES),
    "llama tied": LlamaConfig(**SIZES, tie_word_embeddings=True),
    "llama 3 scaling": LlamaConfig(**{**SIZES, "max_position_embeddings": 16384}, rope_theta=500000.0, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}),
    "mistral": MistralConfig(**SIZES, sliding_window=None),
    "qwen2": Qwen2Config(**SIZES),
    # Sizes that transformers' reader of GGUF takes for granted: 1024 positions of GPT-2, heads of 128 in Qwen 3.
    "qwen3": Qwen3Config(**SIZES, head_dim=128),
}


def random_families():
    tokenizer = byte_tokenizer()
    ids = [int(i) for i in torch.randint(0, 257, (40,))]
    for name, config in FAMILIES.items():
        directory = TMP / name.replace(" ", "-")
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        with torch.no_grad():  # biases and norms that matter
            for p in model.parameters():
                if p.dim() == 1:
                    p.add_(0.1 * torch.randn_like(p))
        model.save_pretrained(directory / "hf", max_shard_size="100KB")
        tokenizer.save_pretrained(directory / "hf")
        want = hf_logits(model, ids)
        gotrain("import", directory / "hf", directory / "own")
        check(f"{name}: logits of the import", difference(own_logits(directory / "own", ids), want), 1e-4)
        gotrain("export", directory / "own", directory / "x.gguf")
        # transformers' reader of GGUF has no scaling of Llama 3.
        if name != "llama 3 scaling":
            read = AutoModelForCausalLM.from_pretrained(directory, gguf_file="x.gguf", dtype=torch.float32).eval()
            check(f"{name}: logits of transformers from the GGUF export", difference(hf_logits(read, ids), want), 1e-5)
        gotrain("import", directory / "x.gguf", directory / "back")
        check(f"{name}: logits of the GGUF export, imported", difference(own_logits(directory / "back", ids), want), 1e-4)
        gotrain("export", directory / "own", directory / "bf16", "--type", "bf16")
        read = AutoModelForCausalLM.from_pretrained(directory / "bf16", dtype=torch.bfloat16)
        off = max(difference(a.bfloat16(), b) for a, b in zip(model.parameters(), read.parameters(), strict=True))
        check(f"{name}: weights of the bfloat16 export", off, 0)


def metadata(file):
    return {k: f.contents() for k, f in GGUFReader(file).fields.items() if k.startswith("tokenizer.")}


SPM = {
    "bpe": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
    "bpe nmt_nfkc": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="nmt_nfkc"),
    "unigram": dict(model_type="unigram", normalization_rule_name="nmt_nfkc", pad_id=3),
}


def sentencepiece_models():
    """GGUF exports of models with a tokenizer.model against what the package gguf makes of it, and transformers reads."""
    lines = [line for file in Path("train").glob("*.go") for line in file.read_text().split("\n")] + Path("README.md").read_text().split("\n")
    strings = texts(1, 2000, [line for line in lines if line])
    for name, options in SPM.items():
        directory = TMP / ("spm-" + name.replace(" ", "-"))
        LlamaForCausalLM(LlamaConfig(**SIZES | dict(vocab_size=800))).save_pretrained(directory / "hf")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, minloglevel=2, vocab_size=800, num_threads=1, **options)
        (directory / "hf" / "tokenizer.model").write_bytes(model.getvalue())
        sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        gotrain("import", directory / "hf", directory / "own")
        gotrain("export", directory / "own", directory / "x.gguf")
        ours, theirs = metadata(directory / "x.gguf"), list(SentencePieceVocab(directory / "hf").all_tokens())
        check(f"spm {name}: tokens of GGUF that differ", sum(a.encode() != b for a, (b, _, _) in zip(ours["tokenizer.ggml.tokens"], theirs, strict=True)), 0)
        check(f"spm {name}: types that differ", sum(a != int(b) for a, (_, _, b) in zip(ours["tokenizer.ggml.token_type"], theirs)), 0)
        check(f"spm {name}: scores that differ", sum(
            a != b for a, (_, b, t) in zip(ours["tokenizer.ggml.scores"], theirs) if t == gguf.TokenType.NORMAL), 0)
        for role, id in (("bos", sp.bos_id()), ("eos", sp.eos_id()), ("unknown", sp.unk_id())):
            check(f"spm {name}: id of {role} that differs", ours[f"tokenizer.ggml.{role}_token_id"] != id, 0)
        ids = [sp.encode(s) for s in strings]
        gotrain("import", directory / "x.gguf", directory / "back")
        back = Tokenizer.from_file(str(directory / "back" / "tokenizer.json"))
        back.encode_special_tokens = True
        # A tokenizer.json cannot say how a charsmap treats the inside of a grapheme cluster.
        bound = 0 if options["normalization_rule_name"] == "identity" else len(strings) // 10
        check(f"spm {name}: strings of {len(strings)} with other ids, imported", sum(
            back.encode(s, add_special_tokens=False).ids != i for s, i in zip(strings, ids)), bound)


def real_model():
    reference = AutoModelForCausalLM.from_pretrained(FILE.parent, gguf_file=FILE.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(FILE.parent, gguf_file=FILE.name)
    r = gotrain("import", FILE, TMP / "real")
    print(f"import of {FILE.name}: {r['write_seconds']:.2f} s for {r['bytes'] / 2**20:.0f} MiB", flush=True)
    again = gotrain("import", TMP / "real", TMP / "copy", "--verify=false")
    print(f"import of the result: {again['write_seconds']:.2f} s", flush=True)
    imported = AutoModelForCausalLM.from_pretrained(TMP / "real", dtype=torch.float32).eval()
    weights = dict(reference.named_parameters())
    check("real: weights that differ in a bit", sum(
        not torch.equal(weights.pop(name), p) for name, p in imported.named_parameters()) + len(weights), 0)
    own_tokenizer = AutoTokenizer.from_pretrained(TMP / "real")
    ids = own_tokenizer(TEXT).input_ids
    check("real: token ids that differ from transformers'", ids != tokenizer(TEXT).input_ids, 0)
    check("real: chat templates that differ", own_tokenizer.chat_template != tokenizer.chat_template, 0)
    want = hf_logits(reference, ids)
    check(f"real: logits of {len(ids)} tokens (largest {want.abs().max():.3g})", difference(own_logits(TMP / "real", ids), want), 1e-3)
    for kind, bound in {"f32": 1e-4, "f16": 0.5, "bf16": 3, "q8_0": 5}.items():
        gotrain("export", TMP / "real", TMP / "e" / f"{kind}.gguf", "--type", kind, "--verify=false")
        read = AutoModelForCausalLM.from_pretrained(TMP / "e", gguf_file=f"{kind}.gguf", dtype=torch.float32).eval()
        check(f"real: logits of transformers from the {kind} export", difference(hf_logits(read, ids), want), bound)
        was, now = metadata(FILE), metadata(TMP / "e" / f"{kind}.gguf")
        check(f"real: keys tokenizer.* of the {kind} export that differ", sum(was.get(k) != now.get(k) for k in was.keys() | now.keys()), 0)
        t = AutoTokenizer.from_pretrained(TMP / "e", gguf_file=f"{kind}.gguf")
        check(f"real: token ids of the {kind} export that differ", t(TEXT).input_ids != ids, 0)
    chat = own_tokenizer.apply_chat_template([{"role": "user", "content": "What is the capital of France?"}],
                                             add_generation_prompt=True, return_tensors="pt", return_dict=True)
    prompt = chat["input_ids"][0].tolist()
    answer = imported.generate(**chat, max_new_tokens=20, do_sample=False)[0, len(prompt):].tolist()
    tokens = own(TMP / "real", prompt, len(answer))["tokens"].tolist()
    print("chat:", repr(own_tokenizer.decode(tokens)))
    check("real: greedy chat that differs from transformers'", tokens != answer, 0)


random_families()
sentencepiece_models()
real_model()
bad = [name for name, value, bound in rows if not value <= bound]
print(f"{len(rows) - len(bad)} of {len(rows)} within bounds")
sys.exit(1 if bad else 0)
