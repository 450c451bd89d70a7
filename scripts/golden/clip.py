"""Writes the golden values of nn/clip/testdata, tiny random CLIPTextModels of transformers with the states of two captions and
gradients, a CLIPModel with the logits of three pictures and captions, its loss and gradients, and data/tokenizers/testdata/clip.json.gz, a small CLIP tokenizer with the ids that it gives to texts.

    python scripts/golden/clip.py

The files of models are gzipped JSON: "config" is transformers', "ids" are tokens, "y" the states (B·L, D), "loss" is Σ dy·y, whose
gradients "grads" are. "v2" is the penultimate layer of three behind the last norm, as Stable Diffusion 2 has it: the last layer
is neither stored nor run. Tensors are {"shape", "data"}, data being little-endian float32 in base64.
"""

import base64
import gzip
import json
import pathlib

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTokenizer

ROOT = pathlib.Path(__file__).parent.parent.parent
common = dict(vocab_size=23, hidden_size=8, intermediate_size=12, num_attention_heads=2, max_position_embeddings=6, bos_token_id=21, eos_token_id=22, pad_token_id=22)
MODELS = {"v1": dict(num_hidden_layers=2, hidden_act="quick_gelu"), "v2": dict(num_hidden_layers=3, hidden_act="gelu")}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().contiguous().numpy().astype("<f4").tobytes()).decode()}


for name, c in MODELS.items():
    torch.manual_seed(5)
    config = CLIPTextConfig(**common, **c)
    model = CLIPTextModel(config).eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_((1 + 0.2 * torch.randn(p.shape) if "norm" in key and key.endswith("weight") else 0.4 * torch.randn(p.shape)).bfloat16().float())
    ids = torch.tensor([[21, 3, 7, 9, 22, 22], [21, 3, 3, 22, 22, 22]])
    out = model(ids, output_hidden_states=True)
    text = getattr(model, "text_model", model)
    y = out.last_hidden_state if name == "v1" else text.final_layer_norm(out.hidden_states[-2])
    y = y.reshape(-1, y.shape[-1])
    dy = torch.randn(y.shape)
    loss = (y * dy).sum()
    loss.backward()
    stored = config.to_dict()
    named = {(k if k.startswith("text_model.") else "text_model." + k): p for k, p in model.named_parameters()}
    if name == "v2":
        stored["num_hidden_layers"] -= 1
        named = {k: p for k, p in named.items() if ".layers.2." not in k}
    golden = {"config": {k: stored[k] for k in ["model_type", "num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "max_position_embeddings", "vocab_size", "hidden_act", "layer_norm_eps"]},
              "ids": ids.reshape(-1).tolist(), "batch": 2, "y": tensor(y), "dy": tensor(dy), "loss": loss.item(),
              "weights": {k: tensor(p) for k, p in named.items()}, "grads": {k: tensor(p.grad) for k, p in named.items()}}
    (ROOT / f"nn/clip/testdata/{name}.json.gz").write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))

# Both encoders: "loss" is transformers', of three pictures (B, C, H, W) and their captions.
torch.manual_seed(6)
config = CLIPConfig(
    projection_dim=5, logit_scale_init_value=2.0,
    text_config=dict(**common, num_hidden_layers=2),
    vision_config=dict(hidden_size=12, intermediate_size=16, num_hidden_layers=2, num_attention_heads=3, image_size=8, patch_size=4, num_channels=3, hidden_act="gelu"))
model = CLIPModel(config).eval()
with torch.no_grad():
    for key, p in model.named_parameters():
        if key != "logit_scale":
            p.copy_((1 + 0.2 * torch.randn(p.shape) if "norm" in key and key.endswith("weight") else 0.4 * torch.randn(p.shape)).bfloat16().float())
ids = torch.tensor([[21, 3, 7, 9, 22, 22], [21, 3, 3, 22, 22, 22], [21, 5, 4, 9, 11, 22]])
x = torch.randn(3, 3, 8, 8)
out = model(input_ids=ids, pixel_values=x, return_loss=True)
out.loss.backward()
stored = json.loads(config.to_json_string(use_diff=False))
golden = {"config": stored, "ids": ids.reshape(-1).tolist(), "x": tensor(x), "logits": tensor(out.logits_per_text), "loss": out.loss.item(),
          "weights": {k: tensor(p) for k, p in model.named_parameters()}, "grads": {k: tensor(p.grad) for k, p in model.named_parameters()}}
(ROOT / "nn/clip/testdata/pair.json.gz").write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))

# The tokenizer: the byte alphabet, the same at the end of words, and merges of some words.


letters = sorted(ByteLevel.alphabet())
vocab, merges = letters + [c + "</w>" for c in letters], []
for word in ["circle", "red", "the", "th", "don", "é", "12"]:
    symbols = list(ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word)[0][0])
    symbols[-1] += "</w>"
    while len(symbols) > 1:
        merge = (symbols[0], symbols[1])
        symbols[:2] = ["".join(merge)]
        if merge not in merges:
            merges.append(merge)
            if symbols[0] not in vocab:
                vocab.append(symbols[0])
vocab += ["<|startoftext|>", "<|endoftext|>"]
tokenizer = CLIPTokenizer(vocab={t: i for i, t in enumerate(vocab)}, merges=merges)
texts = ["a red circle", "  The   RED\tcircle!! ", "don't re-do 1234 éÉ ß", "", "<|startoftext|> redcircle 中文 🙂", "it's they'll\nÅ Å İ"]
golden = {"tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()), "texts": texts, "ids": [tokenizer(t)["input_ids"] for t in texts]}
(ROOT / "data/tokenizers/testdata/clip.json.gz").write_bytes(gzip.compress(json.dumps(golden).encode(), 9, mtime=0))
