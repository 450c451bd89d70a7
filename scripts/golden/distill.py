"""Writes train/recipe/distill/testdata/losses.json: divergences of a teacher and a student, and
their gradients by the student's hidden state, by torch.nn.functional.kl_div in float64.

    python scripts/golden/distill.py

Of K < V kept tokens both distributions have K + 1 parts: the teacher's likeliest tokens and all others together.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(5)
torch.set_default_dtype(torch.float64)
N, D, V = 4, 3, 7
OUT = pathlib.Path(__file__).parent.parent.parent / "train/recipe/distill/testdata/losses.json"


def numbers(*shape):
    return torch.randn(*shape).float().double()


def parts(logp, kept):
    """Log-probabilities of the kept tokens, and of all others together where there are any."""
    p = logp.gather(1, kept)
    if kept.shape[1] == V:
        return p
    others = torch.zeros(N, V, dtype=torch.bool).scatter(1, kept, True)
    return torch.cat([p, logp.masked_fill(others, -math.inf).logsumexp(1, keepdim=True)], 1)


def kl(p, q):
    return F.kl_div(q, p, reduction="none", log_target=True).sum(1)


cases = []
for divergence, beta in [("forward", 0.5), ("reverse", 0.5), ("jsd", 0.5), ("jsd", 0.1)]:
    for temperature in (1.0, 2.0):
        for top in (2, V):
            x, w, z = numbers(N, D).requires_grad_(), numbers(V, D), numbers(N, V)
            kept = z.topk(top).indices
            p, q = (parts(F.log_softmax(logits / temperature, 1), kept) for logits in (z, x @ w.T))
            if divergence == "forward":
                each = kl(p, q)
            elif divergence == "reverse":
                each = kl(q, p)
            else:
                m = torch.logaddexp(p + math.log(beta), q + math.log(1 - beta))
                each = beta * kl(p, m) + (1 - beta) * kl(q, m)
            each = temperature**2 * each
            each.sum().backward()
            cases.append({
                "divergence": divergence, "beta": beta, "temperature": temperature, "top": top,
                "teacher": z.flatten().tolist(), "x": x.flatten().tolist(), "w": w.flatten().tolist(),
                "kept": kept.flatten().tolist(), "logprobs": p.flatten().tolist(), "each": each.tolist(), "dx": x.grad.flatten().tolist(),
            })
OUT.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
