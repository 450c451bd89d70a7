"""Writes nn/hub/convert/testdata/exports.json.gz: what llama.cpp's own writer, the
Python package gguf, makes of small models and of tokenizers, and what torch makes of
the numbers in another precision.

    python scripts/golden/exports.py

"models" are cases with the "config" of transformers, GGUF "metadata" by key and
"tensors" by name: type, shape, the SHA-256 of the bytes. "factors" are what the
wavelengths of rotated pairs are multiplied by. "directory" has the SHA-256 of
model.safetensors by type. "tokenizers" have the metadata of a tokenizer. The weights
follow from the names by a rule that the test repeats: every other row of 32 has ties of
each type that is rounded to, the other rows arbitrary numbers.
"""

import gzip
import hashlib
import json
import pathlib
import tempfile

import gguf
import numpy
import sentencepiece
import torch
from safetensors.torch import save
from transformers import AutoConfig, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

VOCAB = 272
LLAMA = dict(vocab_size=VOCAB, max_position_embeddings=48, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, tie_word_embeddings=False)


def rope(**parameters):
    return dict(rope_parameters=parameters)


MODELS = {
    "llama": LlamaConfig(**LLAMA, rms_norm_eps=3e-6, **rope(rope_type="default", rope_theta=5000.0), attention_bias=True, mlp_bias=True),
    "llama3": LlamaConfig(**LLAMA, head_dim=16, rms_norm_eps=1e-6, **rope(
        rope_type="llama3", rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)),
    "linear": LlamaConfig(**LLAMA, rms_norm_eps=1e-5, **rope(rope_type="linear", rope_theta=10000.0, factor=4.0)),
    "mistral": MistralConfig(**LLAMA, head_dim=8, sliding_window=None, rms_norm_eps=2e-6, **rope(rope_type="default", rope_theta=1000000.0)),
    "qwen2": Qwen2Config(**LLAMA, rms_norm_eps=4e-6, **rope(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=12, beta_fast=16.0, beta_slow=2.0)),
    "qwen3": Qwen3Config(**LLAMA, head_dim=12, rms_norm_eps=5e-6, **rope(rope_type="default", rope_theta=777.0)),
    "gpt2": GPT2Config(vocab_size=VOCAB, n_positions=48, n_embd=32, n_layer=2, n_head=4, n_inner=48, layer_norm_epsilon=6e-6,
                       embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0),
}
ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "mistral": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2,
                 "qwen3": gguf.MODEL_ARCH.QWEN3, "gpt2": gguf.MODEL_ARCH.GPT2}
TYPES = {"F32": gguf.LlamaFileType.ALL_F32, "F16": gguf.LlamaFileType.MOSTLY_F16, "BF16": gguf.LlamaFileType.MOSTLY_BF16,
         "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}


def numbers(name, shape):
    """The weights of a parameter."""
    state = 2166136261
    for byte in name.encode():
        state = (state ^ byte) * 16777619 & 0xFFFFFFFF
    out = numpy.zeros(int(numpy.prod(shape)), dtype=numpy.float32)
    for i in range(len(out)):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        x, sign = state >> 8, 1.0 if state >> 31 else -1.0
        if i // 32 % 2:
            out[i] = sign * x / 2**26  # arbitrary
        elif i % 32 == 0:
            out[i] = sign * 127 / 128
        else:
            out[i] = sign * [(x // 4 % 126 + 0.5) / 128,  # a tie of Q8_0
                             (257 + x // 4 % 127 * 2) / 2**12,  # of bfloat16
                             (2049 + x // 4 % 1023 * 2) / 2**14,  # of float16
                             (1 + x // 4 % 1000 * 2) / 2**25][x % 4]  # of a subnormal float16
    return out.reshape(shape)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def parameters(config):
    """Names and shapes, as transformers has them."""
    from transformers import AutoModelForCausalLM
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    return {name: numbers(name, shape) for name, shape in shapes.items()}


def permute(weights, heads):
    """convert_hf_to_gguf.py, LlamaModel.permute."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def layout(config, name, w):
    if config.model_type in ("llama", "mistral"):
        if "q_proj." in name:
            return permute(w, config.num_attention_heads)
        if "k_proj." in name:
            return permute(w, config.num_key_value_heads)
    if config.model_type == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        return w.T
    return w


def encode(name, w, kind):
    """The type of a tensor and its bytes, as convert_hf_to_gguf.py has it."""
    if w.ndim <= 1 or name.endswith("_norm.weight") or name.startswith("position_embd"):
        kind = "F32"
    kind = gguf.GGMLQuantizationType[kind]
    w = numpy.ascontiguousarray(w)
    try:
        data = gguf.quants.quantize(w, kind)
    except gguf.QuantError:
        kind = gguf.GGMLQuantizationType.F16
        data = gguf.quants.quantize(w, kind)
    return kind.name, data.tobytes()


def metadata(config, kind):
    """convert_hf_to_gguf.py, set_gguf_parameters of TextModel and its relatives."""
    w = gguf.GGUFWriter(None, gguf.MODEL_ARCH_NAMES[ARCHITECTURES[config.model_type]])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_file_type(TYPES[kind])
    w.add_block_count(config.num_hidden_layers)
    w.add_context_length(config.max_position_embeddings)
    w.add_embedding_length(config.hidden_size)
    w.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        w.add_feed_forward_length(config.n_inner)
        w.add_layer_norm_eps(config.layer_norm_epsilon)
        return w
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    w.add_feed_forward_length(config.intermediate_size)
    w.add_head_count_kv(config.num_key_value_heads)
    w.add_layer_norm_rms_eps(config.rms_norm_eps)
    w.add_rope_freq_base(config.rope_parameters["rope_theta"])
    w.add_key_length(head)
    w.add_value_length(head)
    w.add_vocab_size(config.vocab_size)
    w.add_rope_dimension_count(head)
    scaling = config.rope_parameters
    if scaling["rope_type"] == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(scaling["factor"])
    if scaling["rope_type"] == "yarn":
        w.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        w.add_rope_scaling_factor(scaling["factor"])
        w.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        w.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"])
        w.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])
    return w


def entries(writer):
    """What a writer would write: the kind of each value, and the value."""
    out = {}
    for part in writer.kv_data:
        for key, value in part.items():
            v = value.value
            if value.type == gguf.GGUFValueType.FLOAT32:
                v = float(numpy.float32(v))
            if isinstance(v, (list, tuple)):
                v = [x.decode() if isinstance(x, bytes) else x for x in v]
            out[key] = [value.type.name, v]
    return out


def factors(config):
    if config.rope_parameters["rope_type"] != "llama3":
        return None
    plain = LlamaConfig.from_dict(config.to_dict())
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](plain, "cpu")
    exponents = torch.arange(0, 2 * len(scaled), 2, dtype=torch.float64) / (2 * len(scaled))
    return [float(x) for x in config.rope_parameters["rope_theta"] ** -exponents / scaled.double()]


def model(config):
    weights = parameters(config)
    names = gguf.get_tensor_name_map(ARCHITECTURES[config.model_type], config.num_hidden_layers)
    out = {"config": json.loads(config.to_json_string()), "gguf": {}, "directory": {}}
    for kind in TYPES:
        tensors = {}
        for name, w in weights.items():
            to = names.get_name(name, try_suffixes=(".weight", ".bias"))
            stored = layout(config, name, w)
            t, data = encode(to, stored, kind)
            tensors[to] = [t, list(stored.shape), digest(data)]
        out["gguf"][kind] = {"metadata": entries(metadata(config, kind)), "tensors": tensors}
    for kind, dtype in {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}.items():
        file = save({name: torch.from_numpy(w).to(dtype) for name, w in weights.items()}, {"format": "pt"})
        out["directory"][kind] = digest(file)
    if config.model_type != "gpt2":
        out["factors"] = factors(config)
    return out


def sentencepiece_vocabulary(path):
    """convert_hf_to_gguf.py, _create_vocab_sentencepiece."""
    sp = sentencepiece.SentencePieceProcessor()
    sp.LoadFromFile(str(path))
    tokens, scores, types = [], [], []
    for i in range(sp.vocab_size()):
        kind = gguf.TokenType.NORMAL
        if sp.IsUnknown(i):
            kind = gguf.TokenType.UNKNOWN
        elif sp.IsControl(i):
            kind = gguf.TokenType.CONTROL
        elif sp.IsUnused(i):
            kind = gguf.TokenType.UNUSED
        elif sp.IsByte(i):
            kind = gguf.TokenType.BYTE
        tokens.append(sp.IdToPiece(i))
        scores.append(sp.GetScore(i))
        types.append(int(kind))
    return {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.scores": scores, "tokenizer.ggml.token_type": types}


def bpe_vocabulary(path, roles):
    """convert_hf_to_gguf.py, get_vocab_base and SpecialVocab."""
    document = json.loads(path.read_text())
    vocabulary = document["model"]["vocab"]
    size = max(list(vocabulary.values()) + [a["id"] for a in document["added_tokens"]]) + 4  # of the model: some tokens are unused
    tokens, types = [f"[PAD{i}]" for i in range(size)], [int(gguf.TokenType.UNUSED)] * size
    for token, i in vocabulary.items():
        tokens[i], types[i] = token, int(gguf.TokenType.NORMAL)
    for a in document["added_tokens"]:
        tokens[a["id"]], types[a["id"]] = a["content"], int(gguf.TokenType.CONTROL if a["special"] else gguf.TokenType.USER_DEFINED)
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "tokenizer.json").write_text(json.dumps(document))
        (tmp / "tokenizer_config.json").write_text(json.dumps(roles))
        special = gguf.SpecialVocab(tmp, load_merges=True, n_vocab=size)
        w = gguf.GGUFWriter(None, "gpt2")
        special.add_to_gguf(w, quiet=True)
    out = {key: value for key, (_, value) in entries(w).items()}
    return {"vocab": size, "metadata": out | {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}}


def main():
    out = {"models": {name: model(config) for name, config in MODELS.items()}, "pieces": {}, "bpe": {}}
    for name in ["bpe", "unigram", "unigram_bytes"]:
        out["pieces"][name] = sentencepiece_vocabulary(pathlib.Path(f"data/spm/testdata/{name}.model"))
    for name in ["hf_gpt2", "hf_gpt4", "hf_o200k"]:
        path = pathlib.Path(f"data/bpe/testdata/{name}.json")
        special = [a["content"] for a in json.loads(path.read_text())["added_tokens"] if a["special"]]
        roles = {"bos_token": special[0], "eos_token": special[-1], "pad_token": special[0], "chat_template": "{{ messages }}"}
        out["bpe"][name] = bpe_vocabulary(path, roles) | {"roles": roles}
    path = pathlib.Path("nn/hub/convert/testdata/exports.json.gz")
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(out, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
