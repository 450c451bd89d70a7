"""Writes the golden values of nn/seq2seq/testdata: tiny random encoders with decoders of
Hugging Face's transformers with their logits, loss, gradients and what beam search makes
of a few sources.

    python scripts/golden/pairs.py [NAME...]

Each file is gzipped JSON: "config" is the config.json that transformers wrote, "source"
are the ids of the encoder, (batch, length), of which row i has "lengths"[i], "ids" those
of the decoder, "targets" are ignored below 0, "logits" is (batch·length, vocab), "loss"
the mean over targets in nats, "searches" are the options of a search with the ids that it
gives for each row, from the one after the start; "weights" and "grads" as in models.py.
"""

import gzip
import json
import pathlib
import sys

import torch
from transformers import BartConfig, BartForConditionalGeneration, MarianConfig, MarianMTModel, T5Config, T5ForConditionalGeneration

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from models import tensor  # noqa: E402

BATCH, LENGTH, VOCAB = 3, 11, 37
PAD, EOS = 0, 1

SHAPE = dict(
    vocab_size=VOCAB, max_position_embeddings=24, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=3, decoder_attention_heads=3,
    encoder_ffn_dim=40, decoder_ffn_dim=40, dropout=0.0, pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD, bos_token_id=None,
    forced_eos_token_id=None, attn_implementation="eager",
)

T5 = dict(
    vocab_size=VOCAB, n_positions=24, d_model=24, num_layers=2, num_heads=3, d_kv=8, d_ff=40, dropout_rate=0.0, relative_attention_num_buckets=8, relative_attention_max_distance=9,
    pad_token_id=PAD, eos_token_id=EOS, decoder_start_token_id=PAD, attn_implementation="eager",
)

MODELS = {
    "marian": lambda: MarianMTModel(MarianConfig(**SHAPE, activation_function="swish", scale_embedding=True)),
    "marian_deep": lambda: MarianMTModel(MarianConfig(**SHAPE | dict(encoder_layers=3, decoder_layers=1), activation_function="relu")),
    "bart": lambda: BartForConditionalGeneration(BartConfig(**SHAPE, activation_function="gelu")),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**T5)),
    "t5_gated": lambda: untied(T5Config(**T5 | dict(d_kv=10, num_decoder_layers=1), feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
}


def untied(config):
    """T5 1.1 as its checkpoints are: with a head of its own."""
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(torch.ones_like(model.lm_head.weight))
    model.config.tie_word_embeddings = False
    return model


SEARCHES = [
    dict(num_beams=1),
    dict(num_beams=4),
    dict(num_beams=4, length_penalty=2.0, early_stopping=True),
    dict(num_beams=4, length_penalty=-1.0),
    dict(num_beams=4, length_penalty=0.6, early_stopping="never"),
    dict(num_beams=3, length_penalty=0.0, early_stopping=False, max_new_tokens=5),
]


def search(model, source, mask):
    searches = []
    for options in SEARCHES:
        out = model.generate(input_ids=source, attention_mask=mask, **dict(max_new_tokens=LENGTH, do_sample=False) | options)
        rows = []
        for row in out.tolist():
            row = row[1:]
            if EOS in row:
                row = row[: row.index(EOS) + 1]
            rows.append(row)
        searches.append(dict(beams=options["num_beams"], length_penalty=options.get("length_penalty", 1.0), early_stopping=str(options.get("early_stopping", False)).lower(),
                             max_tokens=options.get("max_new_tokens", LENGTH), ids=rows))
    return searches


def golden(build, seed):
    torch.manual_seed(seed)
    model = build().eval()
    bias = getattr(model, "final_logits_bias", None)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.requires_grad:  # sinusoids
                continue
            # Norm weights near 1; attention strong enough that a token is no copy of the one before.
            std = 0.35 if "attn" in name and p.dim() == 2 else 0.25
            if "relative_attention_bias" in name or name == "shared.weight":
                std = 1.0
            if name.endswith("Attention.q.weight"):  # whose scores are not scaled
                std *= 0.35
            x = 1 + 0.2 * torch.randn(p.shape) if (p == 1).all() and p.dim() == 1 else std * torch.randn(p.shape)
            p.copy_(x.bfloat16().float())
        if bias is not None and seed % 2 == 0:
            bias.copy_((0.5 * torch.randn(bias.shape)).bfloat16().float())
            bias[0, EOS] += 2.5
    source = torch.randint(2, VOCAB, (BATCH, LENGTH))
    lengths = [LENGTH, LENGTH - 4, 3]
    mask = torch.tensor([[int(i < n) for i in range(LENGTH)] for n in lengths])
    ids = torch.randint(2, VOCAB, (BATCH, LENGTH))  # PyTorch leaves the row of padding out of the gradient
    targets = torch.randint(0, VOCAB, (BATCH, LENGTH))
    targets[0, 3] = targets[1, :2] = targets[2, 6:] = -100
    searches = search(model, source, mask)
    model.double()  # whose gradients have no rounding of their own
    logits = model(input_ids=source, attention_mask=mask, decoder_input_ids=ids).logits.reshape(-1, VOCAB)
    loss = torch.nn.functional.cross_entropy(logits, targets.reshape(-1))
    loss.backward()
    params = dict(model.named_parameters())  # a tied head appears once
    params = {n: p for n, p in params.items() if p.requires_grad}
    weights = {n: tensor(p) for n, p in params.items()}
    if bias is not None and bias.abs().sum() > 0:
        weights["final_logits_bias"] = tensor(bias)
    return {
        "config": model.config.to_diff_dict() | {"architectures": [type(model).__name__]},
        "source": source.flatten().tolist(),
        "lengths": lengths,
        "ids": ids.flatten().tolist(),
        "targets": targets.flatten().tolist(),
        "batch": BATCH,
        "length": LENGTH,
        "logits": tensor(logits),
        "loss": loss.item(),
        "searches": searches,
        "weights": weights,
        "grads": {n: tensor(p.grad) for n, p in params.items() if ".1." not in n or p.dim() == 1},
    }


def main():
    out = pathlib.Path(__file__).parent.parent.parent / "nn" / "seq2seq" / "testdata"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for seed, (name, build) in enumerate(MODELS.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        text = json.dumps(golden(build, seed), default=str).encode()
        path = out / f"{name}.json.gz"
        path.write_bytes(gzip.compress(text, mtime=0))
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
