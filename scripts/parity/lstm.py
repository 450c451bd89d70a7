"""Compare recurrent language models with PyTorch, on the CPU in float32.

    scripts/parity/lstm.sh [steps]

1. torch.nn.LSTM or torch.nn.GRU takes the parameters rnn.* of a model by load_state_dict, trains
   from the same weights on the same batches, and losses, gradient norms, the first step's
   weights and the last one's are compared.
2. The same for the checkpoint of a run: log-likelihoods against `gotrain score`.

Prints one table and exits 1 where a bound is exceeded.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import yaml
from safetensors import safe_open
from tokenizers import Tokenizer

torch.set_num_threads(2)
rows = []


def check(name, value, bound):
    rows.append((name, value, bound))


class Model(torch.nn.Module):
    """The model of a section `model` and its parameters."""

    def __init__(self, m, weights):
        super().__init__()
        vocab, width = weights["embedding.weight"].shape
        self.embedding = torch.nn.Embedding(vocab, width)
        self.embedding.load_state_dict({"weight": weights["embedding.weight"]})
        options = dict(num_layers=m["layers"], bias=m["bias"], batch_first=True)
        if m["kind"] == "gru":
            self.rnn = torch.nn.GRU(width, m["width"], **options)
        else:
            self.rnn = torch.nn.LSTM(width, m["width"], proj_size=m.get("projection", 0), **options)
        rnn = {k.removeprefix("rnn."): v for k, v in weights.items() if k.startswith("rnn.")}
        self.rnn.load_state_dict(rnn, strict=True)
        head = weights.get("head.weight")
        self.head = None if head is None else torch.nn.Parameter(head.clone())

    def forward(self, ids):
        return self.rnn(self.embedding(ids))[0] @ (self.embedding.weight if self.head is None else self.head).T


def training(name, path):
    with safe_open(path, "pt") as f:
        tensors, config = {k: f.get_tensor(k) for k in f.keys()}, yaml.safe_load(f.metadata()["config"])
    model = Model(config["model"], {k.removeprefix("initial."): v for k, v in tensors.items() if k.startswith("initial.")})
    o = config["optimizer"]
    named = {("head.weight" if k == "head" else k): p for k, p in model.named_parameters()}
    groups = [{"params": [p for p in named.values() if p.dim() > 1], "weight_decay": o["weight_decay"]},
              {"params": [p for p in named.values() if p.dim() < 2], "weight_decay": 0.0}]
    opt = torch.optim.AdamW(groups, lr=float(o["lr"]), betas=tuple(o["betas"]), eps=float(o["eps"]))
    loss_diff = norm_diff = 0.0
    for i in range(len(tensors["losses"])):
        for g in opt.param_groups:
            g["lr"] = tensors["lrs"][i].item()
        loss = torch.nn.functional.cross_entropy(model(tensors["inputs"][i].long()).flatten(0, 1), tensors["targets"][i].long().flatten(), ignore_index=-1)
        opt.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), o["clip"])
        opt.step()
        if i == 0:
            check(f"{name}: NLL of the first step", abs(loss.item() - tensors["losses"][0].item()), 1e-5)
            check(f"{name}: gradient norm of the first step, relative", abs(norm.item() / tensors["grad_norms"][0].item() - 1), 1e-5)
        loss_diff = max(loss_diff, abs(loss.item() - tensors["losses"][i].item()))
        norm_diff = max(norm_diff, abs(norm.item() / tensors["grad_norms"][i].item() - 1))
    check(f"{name}: NLL over {i + 1} steps, largest difference", loss_diff, 1e-3)
    check(f"{name}: gradient norm, largest relative difference", norm_diff, 1e-2)
    worst = max(((p.data - tensors["final." + k]).norm() / tensors["final." + k].norm()).item() for k, p in named.items())
    check(f"{name}: final weights, largest relative difference of a tensor", worst, 2e-2)


def checkpoint(name, sets, binary):
    with tempfile.TemporaryDirectory() as d:
        run = Path(d) / "run"
        short = ["train.steps=30", "train.eval_every=0", "train.save_every=0", "train.sample_tokens=0", "model.width=64", "model.context=64", "train.batch=8"]
        subprocess.run([binary, "pretrain", "--config", "configs/lstm.yaml", "--run", run] + [f"--set={s}" for s in short + sets], check=True, capture_output=True)
        latest = run / "checkpoints" / "latest"
        pairs = [{"prompt": "The Rays of Light", "completion": " which differ in Colour, differ also in Degrees of Refrangibility."},
                 {"prompt": "Prop. I. naïve", "completion": " 1234 – 5678,\n\tPrisms; über!"}]
        data = Path(d) / "pairs.jsonl"
        data.write_text("".join(json.dumps(p) + "\n" for p in pairs))
        out = json.loads(subprocess.run([binary, "score", "--model", latest, "--data", data, "--json"], check=True, capture_output=True).stdout)
        with safe_open(latest / "model.safetensors", "pt") as f:
            weights = {k: f.get_tensor(k) for k in f.keys()}
        model = Model(json.loads((latest / "config.json").read_text())["gotrain"], weights).eval()
        tokens = Tokenizer.from_file(str(latest / "tokenizer.json"))
        worst = 0.0
        for pair, got in zip(pairs, out["results"]):
            prompt, completion = (tokens.encode(pair[k]).ids for k in ("prompt", "completion"))
            with torch.no_grad():
                logp = model(torch.tensor([prompt + completion]))[0].log_softmax(-1)
            want = [logp[len(prompt) - 1 + i, t].item() for i, t in enumerate(completion)]
            assert len(want) == len(got["token_logprobs"]), "token counts differ"
            worst = max(worst, max(abs(a - b) for a, b in zip(want, got["token_logprobs"])))
        check(f"{name}: log-likelihood of a token, largest difference", worst, 1e-4)


def main():
    binary, dumps = sys.argv[1], sys.argv[2:]
    for d in dumps:
        training(Path(d).stem, d)
    checkpoint("lstm checkpoint", [], binary)
    checkpoint("gru checkpoint", ["model.kind=gru", "model.tied=false", "train.document_mask=true"], binary)
    width = max(len(r[0]) for r in rows)
    failed = False
    for name, value, bound in rows:
        ok = value <= bound
        failed |= not ok
        print(f"{name:<{width}}  {value:9.2e}  bound {bound:.0e}  {'ok' if ok else 'FAILED'}")
    sys.exit(failed)


main()
