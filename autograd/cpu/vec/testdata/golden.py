"""Writes golden.json: results of PyTorch that golden_test.go compares with.

Run from this folder: python golden.py
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
golden = {}


def save(case, **tensors):
    golden[case] = {
        k: [float(f"{x:.9g}") for x in t.detach().double().flatten().tolist()] if torch.is_tensor(t) else t
        for k, t in tensors.items()
    }


def attention(case, b, t, h, kv, hd, causal=False, window=0, segments=None):
    q, dout = torch.randn(b, t, h, hd), torch.randn(b, t, h, hd)
    k, v = torch.randn(b, t, kv, hd), torch.randn(b, t, kv, hd)
    for x in (q, k, v):
        x.requires_grad_()
    i, j = torch.arange(t)[:, None], torch.arange(t)[None, :]
    mask = torch.ones(b, 1, t, t, dtype=torch.bool)
    if causal:
        mask &= j <= i
    if window:
        mask &= (i - j).abs() < window
    if segments is not None:
        s = torch.tensor(segments)
        mask &= (s[:, None, :, None] == s[:, None, None, :])
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, enable_gqa=True
    ).transpose(1, 2)
    out.backward(dout)
    save(case, shape=[b, t, h, kv, hd, int(causal), window], q=q, k=k, v=v, dout=dout, out=out,
         dq=q.grad, dk=k.grad, dv=v.grad, segments=sum(segments, []) if segments else [])


attention("attention/causal", 1, 19, 2, 1, 8, causal=True)
attention("attention/full", 2, 9, 2, 2, 4)
attention("attention/window", 1, 24, 1, 1, 8, causal=True, window=5)
attention("attention/segments", 2, 12, 2, 1, 4, causal=True, segments=[[0] * 5 + [1] * 7, [3] * 10 + [4] * 2])

x, dy = torch.linspace(-6, 6, 97).requires_grad_(), torch.randn(97)
for name, f in {
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "relu2": lambda x: F.relu(x).square(),
}.items():
    x.grad = None
    y = f(x)
    y.backward(dy)
    save(name, x=x, dy=dy, y=y, dx=x.grad)

rows, d = 3, 21
x = (torch.randn(rows, d) * 3 + 1).requires_grad_()
w, b, dy = torch.randn(d).requires_grad_(), torch.randn(d).requires_grad_(), torch.randn(rows, d)
y = F.layer_norm(x, (d,), w, b, 1e-5)
y.backward(dy)
save("layerNorm", x=x, w=w, b=b, dy=dy, y=y, dx=x.grad, dw=w.grad, db=b.grad)
x.grad = w.grad = None
y = F.rms_norm(x, (d,), w, 1e-6)
y.backward(dy)
save("rmsNorm", x=x, w=w, dy=dy, y=y, dx=x.grad, dw=w.grad)

z = (torch.randn(53) * 4).requires_grad_()
lse = torch.logsumexp(z, 0)
loss = F.cross_entropy(z[None], torch.tensor([17]), label_smoothing=0.1) + 1e-3 * lse**2
(0.25 * loss).backward()
save("crossEntropy", z=z, loss=loss, lse=lse, dz=z.grad)


def steps(case, make, n=37, **hyper):
    """Ten steps of an optimizer with fresh gradients, each scaled by 0.5."""
    p = torch.randn(n).requires_grad_()
    start, grads = p.detach().clone(), torch.randn(10, n)
    o = make(p)
    for g in grads:
        p.grad = 0.5 * g
        o.step()
    save(case, start=start, grads=grads, end=p)


steps("adamW", lambda p: torch.optim.AdamW([p], lr=0.02, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1))
steps("sgd", lambda p: torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.05))
steps("nesterov", lambda p: torch.optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True))
steps("plainSGD", lambda p: torch.optim.SGD([p], lr=0.1))


class Lion(torch.optim.Optimizer):
    """Program 1 of Chen et al. 2023 (github.com/google/automl, lion_pytorch.py)."""

    def step(self):
        for p in self.param_groups[0]["params"]:
            state, lr, wd = self.state[p], self.defaults["lr"], self.defaults["weight_decay"]
            beta1, beta2 = self.defaults["betas"]
            m = state.setdefault("m", torch.zeros_like(p))
            with torch.no_grad():
                p.mul_(1 - lr * wd)
                p.add_(torch.sign(m * beta1 + p.grad * (1 - beta1)), alpha=-lr)
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)


steps("lion", lambda p: Lion([p], dict(lr=0.02, betas=(0.9, 0.99), weight_decay=0.1)))

x = torch.cat([torch.randn(60) * 100, torch.tensor([0.0, -0.0, 1e-8, 6e-8, 5.9e-5, 65504.0, 65519.0, 65520.0, 1e30, -3e38])])
save("half", x=x, bf16=x.bfloat16(), f16=x.half().double().nan_to_num(posinf=1e300, neginf=-1e300))

with open("golden.json", "w") as f:
    f.write("{\n" + ",\n".join(f'"{k}": {json.dumps(v)}' for k, v in golden.items()) + "\n}\n")
