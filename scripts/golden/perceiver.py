"""Writes the golden values of nn/perceiver/testdata: a tiny random Perceiver for masked language of transformers' own parts,
with what it tells of rows of which some are padded, its loss and gradients.

    python scripts/golden/perceiver.py

The fields are those of bert.py, but "config" is our model section. transformers' PerceiverForMaskedLM has heads of 32 in its
decoder whatever its width: the same decoder stands here with heads of the model's width. Weights are rounded to bfloat16 so
that the file compresses.
"""

import base64
import gzip
import json
import pathlib

import torch
from transformers import PerceiverConfig, PerceiverModel
from transformers.models.perceiver.modeling_perceiver import PerceiverBasicDecoder, PerceiverEmbeddingDecoder, PerceiverTextPreprocessor

BATCH, LENGTH, VOCAB, CONTEXT = 3, 11, 37, 16
LENGTHS = [11, 8, 6]
WIDTH, LATENT_WIDTH, LATENTS, HEADS, LAYERS, WIDENING = 24, 36, 5, 3, 2, 2


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        config = PerceiverConfig(
            num_latents=LATENTS, d_latents=LATENT_WIDTH, d_model=WIDTH, num_self_attends_per_block=LAYERS, num_self_attention_heads=HEADS,
            num_cross_attention_heads=HEADS, self_attention_widening_factor=WIDENING, cross_attention_widening_factor=WIDENING,
            attention_probs_dropout_prob=0.0, vocab_size=VOCAB, max_position_embeddings=CONTEXT)
        decoder = PerceiverBasicDecoder(
            config, output_num_channels=LATENT_WIDTH, output_index_dims=CONTEXT, num_channels=WIDTH, qk_channels=WIDTH, v_channels=WIDTH, num_heads=HEADS,
            widening_factor=WIDENING, use_query_residual=False, final_project=False,
            trainable_position_encoding_kwargs={"num_channels": WIDTH, "index_dims": CONTEXT})
        self.perceiver = PerceiverModel(config, input_preprocessor=PerceiverTextPreprocessor(config), decoder=decoder)
        self.embedding_decoder = PerceiverEmbeddingDecoder(config)

    def forward(self, ids, mask):
        hidden = self.perceiver(inputs=ids, attention_mask=mask).logits[:, :ids.shape[1]]  # it tells of every position
        return hidden, self.embedding_decoder(hidden, embedding_layer=self.perceiver.input_preprocessor.embeddings)


def tensor(x):
    return {"shape": list(x.shape), "data": base64.b64encode(x.detach().numpy().astype("<f4").tobytes()).decode()}


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    model = Model().eval()
    with torch.no_grad():
        for p in model.parameters():
            x = 1 + 0.2 * torch.randn(p.shape) if p.dim() == 1 and (p == 1).all() else 0.25 * torch.randn(p.shape)
            p.copy_(x.bfloat16().float())
    ids, mask = torch.randint(1, VOCAB, (BATCH, LENGTH)), torch.zeros(BATCH, LENGTH, dtype=torch.long)
    for row, n in enumerate(LENGTHS):
        mask[row, :n], ids[row, n:] = 1, 0
    asked = torch.tensor([1, 4, 9, LENGTH + 2, LENGTH + 7, 2 * LENGTH + 3])
    targets = torch.randint(0, VOCAB, asked.shape)
    hidden, logits = model(ids, mask)
    masked = logits.flatten(0, 1)[asked]
    loss = torch.nn.functional.cross_entropy(masked, targets)
    loss.backward()
    named = dict(model.named_parameters())
    golden = {
        "config": {"layers": LAYERS, "heads": HEADS, "width": WIDTH, "latents": LATENTS, "latent_width": LATENT_WIDTH, "widening": WIDENING, "context": CONTEXT, "vocab": VOCAB},
        "batch": BATCH, "length": LENGTH, "ids": ids.flatten().tolist(), "mask": mask.flatten().tolist(), "asked": asked.tolist(), "targets": targets.tolist(),
        "loss": loss.item(), "hidden": tensor(hidden.flatten(0, 1)), "masked": tensor(masked),
        "weights": {n: tensor(p) for n, p in named.items()}, "grads": {n: tensor(p.grad) for n, p in named.items()},
    }
    path = pathlib.Path(__file__).parent.parent.parent / "nn" / "perceiver" / "testdata" / "masked.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(golden).encode(), mtime=0))
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
