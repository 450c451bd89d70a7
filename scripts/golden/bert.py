"""Writes the golden values of nn/bert/testdata: tiny random BERTs of Hugging Face's
transformers with what they tell of two texts a row, one of them padded, their loss and
gradients.

    python scripts/golden/bert.py [NAME...]

Each file is gzipped JSON: "config" is the config.json that transformers wrote; "ids",
"kinds" and "mask" (0 is padding) are (batch, length); "asked" are places of ids and
"targets" the tokens there; "next" and "labels" are (batch). "hidden", "masked" (asked,
vocab), "pooled", "next_logits" and "classes" are what the model has of them, "loss" the sum
of the means of its losses in nats. "weights" and "grads" map names to {"shape", "data"}, data
being little-endian float32 in base64. Weights are rounded to bfloat16 so that the files
compress. "saved" are the names of the tensors that save_pretrained writes.
"""

import base64
import gzip
import json
import pathlib
import sys
import tempfile

import torch
from safetensors import safe_open
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, BertForSequenceClassification, BertModel

BATCH, LENGTH, VOCAB = 3, 11, 37
LENGTHS = [11, 8, 6]
TINY = dict(
    vocab_size=VOCAB, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=16,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager",
)
MODELS = {
    "pretraining": lambda: BertForPreTraining(BertConfig(**TINY)),
    "masked": lambda: BertForMaskedLM(BertConfig(**TINY | dict(hidden_act="gelu_new", type_vocab_size=3, layer_norm_eps=1e-5))),
    "masked_untied": lambda: BertForMaskedLM(BertConfig(**TINY | dict(tie_word_embeddings=False))),
    "trunk": lambda: BertModel(BertConfig(**TINY)),
    "trunk_without_pooler": lambda: BertModel(BertConfig(**TINY), add_pooling_layer=False),
    "classes": lambda: BertForSequenceClassification(BertConfig(**TINY, id2label={0: "bad", 1: "good", 2: "neither"}, label2id={"bad": 0, "good": 1, "neither": 2})),
}


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().numpy().astype("<f4").tobytes()).decode()}


def golden(build, seed):
    torch.manual_seed(seed)
    model = build().eval()
    with torch.no_grad():
        for p in model.parameters():
            x = 1 + 0.2 * torch.randn(p.shape) if (p == 1).all() else 0.25 * torch.randn(p.shape)
            p.copy_(x.bfloat16().float())
    ids, kinds = torch.randint(1, VOCAB, (BATCH, LENGTH)), torch.zeros(BATCH, LENGTH, dtype=torch.long)
    mask = torch.zeros(BATCH, LENGTH, dtype=torch.long)
    for row, n in enumerate(LENGTHS):
        kinds[row, n // 2 : n], mask[row, :n], ids[row, n:] = 1, 1, 0
    asked = torch.tensor([1, 4, 9, LENGTH + 2, LENGTH + 7, 2 * LENGTH + 3])
    targets, nexts, labels = torch.randint(0, VOCAB, asked.shape), torch.tensor([0, 1, 0]), torch.tensor([2, 0, 1])
    out = model(input_ids=ids, attention_mask=mask, token_type_ids=kinds, output_hidden_states=True)
    hidden = out.hidden_states[-1] if out.hidden_states else out.last_hidden_state
    told, losses, entropy = {"hidden": hidden.reshape(-1, hidden.shape[-1])}, [], torch.nn.functional.cross_entropy
    scores = getattr(out, "prediction_logits", None)
    if isinstance(model, BertForMaskedLM):
        scores = out.logits
    if scores is not None:
        told["masked"] = scores.reshape(-1, VOCAB)[asked]
        losses.append(entropy(told["masked"], targets))
    if isinstance(model, BertForPreTraining):
        told["next_logits"] = out.seq_relationship_logits
        losses.append(entropy(told["next_logits"], nexts))
    if isinstance(model, BertForSequenceClassification):
        told["classes"] = out.logits
        losses.append(entropy(told["classes"], labels))
    if getattr(out, "pooler_output", None) is not None:
        told["pooled"] = out.pooler_output
    grads, loss = {}, 0.0
    if losses:
        loss = sum(losses)
        loss.backward()
        grads = {n: tensor(p.grad) for n, p in model.named_parameters() if p.grad is not None}
        loss = loss.item()
    prefix = "" if not isinstance(model, BertModel) else "bert."
    with tempfile.TemporaryDirectory() as dir:
        model.save_pretrained(dir)
        config = json.loads((pathlib.Path(dir) / "config.json").read_text())
        with safe_open(pathlib.Path(dir) / "model.safetensors", "pt") as f:
            saved = {n: tensor(f.get_tensor(n)) for n in f.keys()}
    return {
        "config": config, "batch": BATCH, "length": LENGTH, "ids": ids.flatten().tolist(), "kinds": kinds.flatten().tolist(), "mask": mask.flatten().tolist(),
        "asked": asked.tolist(), "targets": targets.tolist(), "next": nexts.tolist(), "labels": labels.tolist(), "loss": loss,
        "told": {n: tensor(x) for n, x in told.items()}, "saved": saved, "grads": {prefix + n: g for n, g in grads.items()},
    }


def main():
    out = pathlib.Path(__file__).parent.parent.parent / "nn" / "bert" / "testdata"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, build) in enumerate(MODELS.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        path = out / f"{name}.json.gz"
        path.write_bytes(gzip.compress(json.dumps(golden(build, seed)).encode(), mtime=0))
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
