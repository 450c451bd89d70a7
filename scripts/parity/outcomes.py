"""PyTorch twins of runs of gotrain whose outcome is a threshold of ours: what such models reach at that size.

    outcomes.py figure DIR        DIR is of `gotrain scale lstm-figure`: an LSTM (torch.nn.LSTM) and a Llama (transformers) of
                                  its sizes on its tokens; NLL by position, as its figure has it
    outcomes.py bert RUN CACHE    RUN is of configs/bert.yaml, CACHE its data.cache_dir: a BertForMaskedLM of its size on its
                                  tokens; NLL of masks beside the entropy of single tokens
    outcomes.py cipher RUN TRAIN TEST
                                  RUN is of configs/translate.yaml, TRAIN its pairs and TEST other ones, of `gotrain data cipher`: a
                                  torch.nn.Transformer of its size on as many tokens a step; BLEU of what it makes of TEST, greedily
    outcomes.py copy              a Transformer-XL on the copy task of train/copy_test.go, with a memory and without

They train on the CPU in float32 with THREADS threads, in windows of the same tokens drawn at random. What a run of gotrain
has to come to stands beside its twin, and the script ends with an error where one of the two does not.
"""

import json
import math
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml

failed = []


def holds(what, value, least):
    """Compares a figure with its threshold."""
    print(f"{'holds' if value >= least else 'FAILS'}: {what}: {value:.4g}, at least {least:.4g}", flush=True)
    if not value >= least:
        failed.append(what)


torch.set_num_threads(int(os.environ.get("THREADS", "1")))
torch.manual_seed(0)
draw = np.random.default_rng(0)


def tokens(cache, split):
    """The tokens of the first shard of a split; data/shard_format.go has the layout."""
    raw = next(Path(cache).glob(f"*/{split}-00000.gtsh")).read_bytes()
    header = json.loads(raw[32:32 + struct.unpack_from("<I", raw, 8)[0]])
    return np.frombuffer(raw, {2: "<u2", 4: "<u4"}[header["token_bytes"]], header["tokens"], 4096).astype(np.int64)


def rate(step, steps, o):
    """The share of the learning rate at a step from 0: gotrain's warmup, then a cosine down to min_lr."""
    if step < o["warmup"]:
        return (step + 1) / o["warmup"]
    at = (step - o["warmup"]) / max(1, steps - o["warmup"])
    return o["min_lr"] + (1 - o["min_lr"]) * (1 + math.cos(math.pi * at)) / 2


def train(model, batch, steps, optimizers, o, every=100):
    """batch(step) is the loss of a step."""
    first = [[g["lr"] for g in opt.param_groups] for opt in optimizers]
    start = time.perf_counter()
    for step in range(steps):
        for opt, lrs in zip(optimizers, first):
            for g, lr in zip(opt.param_groups, lrs):
                g["lr"] = lr * rate(step, steps, o)
        loss = batch(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), o["clip"])
        for opt in optimizers:
            opt.step()
            opt.zero_grad(set_to_none=True)
        if (step + 1) % every == 0 or step + 1 == steps:
            print(f"  step {step + 1}/{steps}  nll {loss.item():.4f}  {time.perf_counter() - start:.0f} s", flush=True)


def adamw(params, o):
    params = list(params)
    groups = [{"params": [p for p in params if p.dim() > 1], "weight_decay": o["weight_decay"]}, {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=float(o["lr"]), betas=tuple(o["betas"]), eps=float(o["eps"]))


class Recurrent(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        self.embedding = torch.nn.Embedding(m["vocab"], m["width"])
        torch.nn.init.normal_(self.embedding.weight, std=m["init_std"])
        self.rnn = torch.nn.LSTM(m["width"], m["width"], m["layers"], batch_first=True)

    def forward(self, ids):
        return self.rnn(self.embedding(ids))[0] @ self.embedding.weight.T


class Llama(torch.nn.Module):
    def __init__(self, m):
        super().__init__()
        from transformers import LlamaConfig, LlamaForCausalLM

        self.model = LlamaForCausalLM(LlamaConfig(
            vocab_size=m["vocab"], hidden_size=m["width"], num_hidden_layers=m["layers"], num_attention_heads=m["heads"], intermediate_size=m["ffn"],
            max_position_embeddings=m["context"], rms_norm_eps=float(m["norm_eps"]), initializer_range=m["init_std"], tie_word_embeddings=m["tied"]))

    def forward(self, ids):
        return self.model(ids, use_cache=False).logits


def figure(dir):
    dir = Path(dir)
    text, held = tokens(dir / "cache", "train"), tokens(dir / "cache", "validation")
    curves = {}
    for side, build in (("transformer", Llama), ("lstm", Recurrent)):
        c = yaml.safe_load(next((dir / side).glob("*/config.yaml")).read_text())
        m, o, batch, context = c["model"], c["optimizer"], c["train"]["batch"], c["model"]["context"]
        model = build(m)
        size = sum(p.numel() for n, p in model.named_parameters() if "embed" not in n and "head" not in n)
        print(f"{side}: {size} parameters without embeddings and head, {c['train']['steps']} steps of {batch} × {context} tokens", flush=True)
        # Every window once, in an order drawn anew for each pass.
        windows = (len(text) - 1) // context
        order = np.concatenate([draw.permutation(windows) for _ in range(c["train"]["steps"] * batch // windows + 1)])

        def loss(step):
            rows = np.stack([text[w * context:(w + 1) * context + 1] for w in order[step * batch:(step + 1) * batch]])
            rows = torch.from_numpy(rows)
            return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

        train(model, loss, c["train"]["steps"], [adamw(model.parameters(), o)], o)
        model.eval()
        total, count = np.zeros(context), 0
        with torch.no_grad():
            starts = np.unique(np.linspace(0, len(held) - context - 1, 4000).astype(int))  # as --windows 4000
            for at in range(0, len(starts), 16):
                rows = torch.from_numpy(np.stack([held[i:i + context + 1] for i in starts[at:at + 16]]))
                nll = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
                total, count = total + nll.view(-1, context).sum(0).numpy(), count + len(rows)
        nll, n = total / count, context
        early, late = nll[n // 8:n // 4].mean(), nll[n // 2:].mean()
        curves[side] = nll
        print(f"{side}: NLL {nll.mean():.4f}; positions {n // 8}-{n // 4 - 1} {early:.4f}, {n // 2}-{n - 1} {late:.4f}: falls by {early - late:.4f}; {count} windows", flush=True)
    # Kaplan et al. 2020, figure 7: on few tokens the Transformer is ahead everywhere. That its loss also falls further with
    # the position takes more than the 3.75 M tokens of the file: neither side shows it beyond what its windows leave unsure.
    rows = np.loadtxt(dir / "figure.csv", delimiter=",", skiprows=1)
    for name, ahead in (("gotrain", rows[:, 2] - rows[:, 1]), ("PyTorch", curves["lstm"] - curves["transformer"])):
        n = len(ahead)
        for low, high in ((n // 8, n // 4), (n // 2, n)):
            holds(f"{name}, nats by which the Transformer is ahead at positions {low}-{high - 1}", ahead[low:high].mean(), 0.15)


def two(model, o, matrices):
    """Muon for matrices, AdamW for the rest, as gotrain's muon has it."""
    those = {id(p) for p in matrices}
    muon = torch.optim.Muon(matrices, lr=float(o["matrix_lr"]), weight_decay=o["weight_decay"], momentum=o["momentum"], nesterov=o["nesterov"], adjust_lr_fn="original")
    return [muon, adamw([p for p in model.parameters() if id(p) not in those], o)]


class Translator(torch.nn.Module):
    """Vaswani et al. 2017, tokens tied on both sides and in the head."""

    def __init__(self, m):
        super().__init__()
        d = m["width"]
        self.table = torch.nn.Parameter(m["init_std"] * torch.randn(m["vocab"], d))
        self.body = torch.nn.Transformer(d, m["heads"], m["layers"], m["decoder_layers"], m["ffn"], m["dropout"], batch_first=True)
        self.body.encoder.norm = self.body.decoder.norm = torch.nn.Identity()  # each branch has its own behind it
        angle = torch.arange(m["context"])[:, None] * 10000 ** (-torch.arange(0, d, 2) / d)
        self.register_buffer("positions", torch.cat([angle.sin(), angle.cos()], 1))

    def embed(self, ids):
        return self.table[ids] * math.sqrt(self.table.shape[1]) + self.positions[:ids.shape[1]]

    def read(self, source, padding):
        return self.body.encoder(self.embed(source), src_key_padding_mask=padding)

    def write(self, target, memory, padding):
        causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        y = self.body.decoder(self.embed(target), memory, tgt_mask=causal, memory_key_padding_mask=padding, tgt_is_causal=True)
        return y @ self.table.T


def cipher(run, train_pairs, test_pairs):
    import sacrebleu
    from tokenizers import Tokenizer

    c = yaml.safe_load((Path(run) / "config.yaml").read_text())
    m, o, t = c["model"], c["optimizer"], c["train"]
    tokenizer = Tokenizer.from_file(str(Path(run) / "tokenizer" / "tokenizer.json"))
    end = tokenizer.token_to_id("<|endoftext|>")
    read = lambda path: [line.split("\t") for line in Path(path).read_text().splitlines()[1:]]
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    text = [(ids(a), ids(b) + [end]) for a, b in read(train_pairs)]
    text = [p for p in text if max(map(len, p)) <= m["context"]]
    # As many pairs a step as fill the rows of gotrain, packed to 95%.
    longer = np.mean([max(map(len, p)) for p in text])
    each = round(0.95 * t["batch"] * m["context"] / longer)
    model = Translator(m)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {t['steps']} steps of {each} pairs, {each * longer:.0f} tokens a side", flush=True)

    def padded(rows):
        out = torch.full((len(rows), max(map(len, rows))), end)
        for i, row in enumerate(rows):
            out[i, :len(row)] = torch.tensor(row)
        return out, torch.tensor([[i >= len(row) for i in range(out.shape[1])] for row in rows])

    batches = []

    def loss(step):
        if not batches:  # a pass: pairs of like length together, in an order of its own
            order = sorted(range(len(text)), key=lambda i: (max(map(len, text[i])), draw.random()))
            batches.extend(order[i:i + each] for i in range(0, len(order) - each + 1, each))
            draw.shuffle(batches)
        some = [text[i] for i in batches.pop()]
        source, padding = padded([p[0] for p in some])
        target, behind = padded([p[1] for p in some])
        before = torch.cat([torch.full((len(some), 1), end), target[:, :-1]], 1)
        logits = model.write(before, model.read(source, padding), padding)
        return F.cross_entropy(logits[~behind], target[~behind], label_smoothing=t["label_smoothing"])

    train(model, loss, t["steps"], two(model, o, [p for p in model.body.parameters() if p.dim() == 2]), o)
    model.eval()
    test, got = read(test_pairs), []
    with torch.no_grad():
        for at in range(0, len(test), 50):
            source, padding = padded([ids(a) for a, _ in test[at:at + 50]])
            memory, written = model.read(source, padding), torch.full((len(source), 1), end)
            for _ in range(m["context"]):
                written = torch.cat([written, model.write(written, memory, padding)[:, -1:].argmax(2)], 1)
                if (written[:, 1:] == end).any(1).all():
                    break
            for row in written[:, 1:].tolist():
                got.append(tokenizer.decode(row[:(row + [end]).index(end)]))
    score = sacrebleu.corpus_bleu(got, [[b for _, b in test]])
    print(f"BLEU {score.score:.2f} of {len(test)} phrases, greedy; {sum(a == b for a, (_, b) in zip(got, test))} are the same")
    ours = json.loads((Path(run) / "eval.json").read_text())["bleu"]
    holds(f"BLEU of gotrain after {t['steps']} steps, beside the twin's", ours, score.score)
    if t["steps"] >= 3000:
        holds("BLEU of gotrain", ours, 99)


def bert(run, cache):
    from transformers import BertConfig, BertForMaskedLM

    c = yaml.safe_load((Path(run) / "config.yaml").read_text())
    vocabulary = json.loads((Path(run) / "tokenizer" / "tokenizer.json").read_text())["model"]["vocab"]
    cls, sep, mask = (vocabulary[t] for t in ("[CLS]", "[SEP]", "[MASK]"))
    text, held = tokens(cache, "train"), tokens(cache, "validation")
    m, o, batch, context, share = c["model"], c["optimizer"], c["train"]["batch"], c["model"]["context"], c["recipe"]["rate"]
    vocab = m["vocab"]
    model = BertForMaskedLM(BertConfig(
        vocab_size=vocab, hidden_size=m["width"], num_hidden_layers=m["layers"], num_attention_heads=m["heads"], intermediate_size=m["ffn"],
        max_position_embeddings=context, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=m["init_std"]))
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {c['train']['steps']} steps of {batch} × {context} tokens", flush=True)
    often = np.bincount(text, minlength=vocab) + 1.0
    entropy = -np.log(often / often.sum())[held].mean()

    def masked(source, starts):
        rows = torch.from_numpy(np.stack([np.concatenate([[cls], source[i:i + context - 2], [sep]]) for i in starts]))
        asked = torch.rand(rows.shape) < share
        asked[:, 0] = asked[:, -1] = False
        ids, way = rows.clone(), torch.rand(rows.shape)
        ids[asked & (way < 0.8)] = mask
        other = asked & (way >= 0.9)
        ids[other] = torch.randint(vocab, (int(other.sum()),))
        hidden = model.bert(ids).last_hidden_state[asked]
        return F.cross_entropy(model.cls(hidden), rows[asked])

    def loss(step):
        return masked(text, draw.integers(0, len(text) - context, batch))

    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embeddings" not in n]
    train(model, loss, c["train"]["steps"], two(model, o, matrices), o)
    model.eval()
    with torch.no_grad():
        values = [masked(held, range(at, min(at + 64 * context, len(held) - context), context)).item() for at in range(0, len(held) - 65 * context, 64 * context)]
    nll = float(np.mean(values))
    print(f"NLL of held-out masks {nll:.4f}, entropy of single tokens {entropy:.4f}: {entropy - nll:.4f} nats below")
    last = [r for r in map(json.loads, (Path(run) / "metrics.jsonl").read_text().splitlines()) if r["split"] == "val"][-1]
    holds("PyTorch, nats below the entropy", entropy - nll, 1.5)
    holds("gotrain, nats below the entropy", last["unigram_nll"] - last["nll"], 1.5)


class Block(torch.nn.Module):
    """A block of Transformer-XL (Dai et al. 2019), norms before the branches."""

    def __init__(self, width, heads):
        super().__init__()
        linear = lambda a, b, bias=False: torch.nn.Linear(a, b, bias=bias)
        self.heads, self.q, self.k, self.v, self.r, self.o = heads, *(linear(width, width) for _ in range(5))
        self.content, self.distance = (torch.nn.Parameter(0.02 * torch.randn(heads, width // heads)) for _ in range(2))
        self.norm, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.up, self.down = linear(width, 4 * width, True), linear(4 * width, width, True)
        for p in self.parameters():
            if p.dim() == 2 and p.shape[0] != heads:
                torch.nn.init.normal_(p, std=0.02)

    def forward(self, x, memory, sinusoids, reach):
        """x (B, T, D), memory (B, M, D), sinusoids (S, D) of distances S-1 … 0; a query sees no key more than reach before it."""
        b, t, d = x.shape
        keys = self.norm(torch.cat([memory, x], 1))
        s, split = keys.shape[1], lambda y: y.view(*y.shape[:-1], self.heads, d // self.heads)
        q, k, v, r = split(self.q(keys[:, s - t:])), split(self.k(keys)), split(self.v(keys)), split(self.r(sinusoids))
        back = (torch.arange(t)[:, None] + s - t) - torch.arange(s)  # (T, S)
        scores = torch.einsum("bthd,bshd->bhts", q + self.content, k)
        far = torch.einsum("bthd,shd->bhts", q + self.distance, r)  # of distance S-1-s
        scores = (scores + far.gather(3, (s - 1 - back).clamp(0, s - 1).expand_as(far))) / math.sqrt(d // self.heads)
        scores = scores.masked_fill((back < 0) | (back > reach[:, None]), -math.inf)
        x = x + self.o(torch.einsum("bhts,bshd->bthd", scores.softmax(-1), v).reshape(b, t, d))
        return x + self.down(F.relu(self.up(self.norm2(x))))


def copy():
    segment, letters, width, heads, layers, batch, steps = 8, 16, 32, 2, 2, 32, 900
    block = 3 * segment
    o = {"lr": 5e-3, "warmup": 50, "min_lr": 0.1, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}

    def text(blocks):
        one = draw.integers(0, letters, (blocks, 1, block))
        return np.broadcast_to(one, (blocks, 2, block)).reshape(-1)

    for memory in (block, 0):
        table = torch.nn.Parameter(0.02 * torch.randn(letters, width))
        model = torch.nn.ModuleList([Block(width, heads) for _ in range(layers)])
        model.register_parameter("table", table)
        s = memory + segment
        angle = torch.arange(s - 1, -1, -1.0)[:, None] * 10000 ** (-torch.arange(0, width, 2) / width)
        sinusoids = torch.cat([angle.sin(), angle.cos()], 1)

        def forward(ids, memories, read):
            x, kept = table[ids] * math.sqrt(width), []
            reach = min(read, memory) + torch.arange(segment)
            for layer, m in zip(model, memories):
                kept.append(torch.cat([m, x], 1)[:, segment:].detach() if memory else m)
                x = layer(x, m, sinusoids, reach)
            return x @ table.T, kept

        def zeros(rows):
            return [torch.zeros(rows, memory, width) for _ in range(layers)]

        source = text(6000)
        rows = torch.from_numpy(source[:len(source) // batch * batch].reshape(batch, -1).copy())
        state = {"memories": zeros(batch)}

        def loss(step):
            at = step * segment % ((rows.shape[1] - 1) // segment * segment)
            if at == 0:
                state["memories"] = zeros(batch)
            logits, state["memories"] = forward(rows[:, at:at + segment], state["memories"], at)
            return F.cross_entropy(logits.flatten(0, 1), rows[:, at + 1:at + segment + 1].flatten())

        train(model, loss, steps, [adamw(model.parameters(), o)], o, every=300)
        fresh, memories, right, asked = torch.from_numpy(text(50).copy())[None], zeros(1), 0, 0
        with torch.no_grad():
            for at in range(0, fresh.shape[1] - segment, segment):
                logits, memories = forward(fresh[:, at:at + segment], memories, at)
                following = np.arange(at + 1, at + segment + 1)
                of_copy = torch.from_numpy(following % (2 * block) >= block)
                right += int((logits[0].argmax(1) == fresh[0, following])[of_copy].sum())
                asked += int(of_copy.sum())
        print(f"memory {memory}: {right} of {asked} letters of copies are right, {100 * right / asked:.1f}%", flush=True)
        if memory:
            holds("share of letters of copies that are right, with a memory", right / asked, 0.99)
        else:
            holds("share that is wrong, without", 1 - right / asked, 0.9)


if __name__ == "__main__":
    {"figure": figure, "bert": bert, "cipher": cipher, "copy": copy}[sys.argv[1]](*sys.argv[2:])
    sys.exit(1 if failed else 0)
