"""Small models with random weights and a tokenizer of bytes, and what this program
makes of them; adapters.py and models.py compare with the libraries' own."""

import json
import subprocess
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
torch.set_num_threads(2)
VOCAB = 260
IDS = [1, 7, 200, 31, 31, 90, 4, 255, 0, 18, 77, 140, 9, 33, 2, 61, 240, 5, 12, 100]
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=64, bos_token_id=256, eos_token_id=257, rms_norm_eps=1e-5)


def tokenizer(path):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(letters)}, merges=[]))
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    t.add_special_tokens(["<s>", "</s>"])
    PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<s>", eos_token="</s>").save_pretrained(path)


def randomize(model, seed=1):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        scale = 0.15 if p.dim() > 1 else 0.1
        p.data = torch.randn(p.shape, generator=g) * scale + (1 if p.dim() == 1 and name.endswith("weight") else 0)
    model.tie_weights()
    return model.eval()


def save(model, path):
    model.save_pretrained(path)
    tokenizer(path)
    return path


def logits(model):
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


def load(path):
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def edit(path, **keys):
    """Changes keys of a JSON file; ... takes one out."""
    text = json.loads(Path(path).read_text())
    for key, value in keys.items():
        text.pop(key, None)
        if value is not ...:
            text[key] = value
    Path(path).write_text(json.dumps(text))


def own_logits(program, model, *adapter):
    """The logits, or the error's text."""
    out = Path(program).with_suffix(".st")
    run = subprocess.run([program, "-model", model, *adapter, "-ids", json.dumps(IDS), "-out", out], stderr=subprocess.PIPE, text=True)
    return load_file(out)["logits"] if run.returncode == 0 else run.stderr.strip()


class Table:
    """Counts what is equal, refused as it should be, and neither."""

    def __init__(self):
        self.equal, self.refused, self.bad = 0, 0, []

    def row(self, name, ours, theirs, refusal):
        """theirs are logits or the error of the other library; refusal is what an error must name, "" where none may be."""
        if isinstance(ours, str):
            good = refusal != "" and refusal in ours and "\n" not in ours
            what = "refused: " + ours.split(": ", 1)[-1][:150]
            self.refused += good
        else:
            difference = float("inf") if isinstance(theirs, str) else (ours - theirs).abs().max().item()
            good, what = difference < 2e-4, f"differs by {difference:.2g}"
            self.equal += good
        if not good:
            self.bad.append(name)
        print(f"{'' if good else 'BAD '}{name:60} {what}", flush=True)
        if isinstance(theirs, str) and not isinstance(ours, str):
            print("    the other side:", theirs[:150])

    def end(self, what):
        total = self.equal + self.refused + len(self.bad)
        print(f"{self.equal + self.refused} of {total} {what}: {self.equal} equal, {self.refused} refused by name; neither: {self.bad}")
        return 1 if self.bad else 0
