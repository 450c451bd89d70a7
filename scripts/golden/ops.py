"""Writes autograd/optest/testdata/KIND.json: instructions with their inputs and
the results that PyTorch computes for them in float64.

    python scripts/golden/ops.py

A file is a list of cases: attrs are the fields of the attributes of the kind (autograd/ir/attrs.go), in and out stand in
the order of ir.Info (null: absent), state holds what mutated inputs become, by
position. Tensors are {shape, f32 | i32: base64 of little-endian words}; packed
names the smaller type of integers that the instruction reads.

Dropout is checked against Philox4x32-10 written here after Salmon et al. 2011,
Lion, Muon's float64 iteration and EMA against their formulas: PyTorch has none
of them (its Muon iterates in bfloat16).
"""

import base64
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
OUT = pathlib.Path(__file__).parent.parent.parent / "autograd/optest/testdata"
CASES: dict[str, list] = {}
ACTS = {
    "gelu": (1, F.gelu),
    "gelu_tanh": (2, lambda x: F.gelu(x, approximate="tanh")),
    "silu": (3, F.silu),
    "relu2": (4, lambda x: F.relu(x) ** 2),
    "relu": (5, F.relu),
}


def randn(*shape):
    """Normal numbers that float32 holds exactly."""
    return torch.randn(*shape).float().double()


def ints(*values):
    return torch.tensor(values, dtype=torch.int32)


def pack(t):
    if t is None:
        return None
    t = t.detach()
    key, dtype = ("i32", np.int32) if t.dtype in (torch.int32, torch.int64) else ("f32", np.float32)
    data = t.numpy().astype(dtype).tobytes()
    return {"shape": list(t.shape), key: base64.b64encode(data).decode()}


def case(kind, name, inputs, outputs, state=None, **attrs):
    CASES.setdefault(kind, []).append({
        "name": name,
        "attrs": attrs,
        "in": [pack(t) for t in inputs],
        "out": [pack(t) for t in outputs],
        "state": {str(i): pack(t) for i, t in (state or {}).items()},
    })


def gradients(y, dy, *wrt):
    return torch.autograd.grad(y, wrt, dy, retain_graph=True)


def leaf(*shape):
    return randn(*shape).requires_grad_()


def scalar(x):
    return torch.tensor([float(x)])


def f32(x):
    """x rounded as the constant in the program is."""
    return float(np.float32(x))


def embedding():
    ids, table, dy, addend = ints(3, 0, 3, 6), leaf(7, 5), randn(4, 5), randn(7, 5)
    y = F.embedding(ids, table)
    case("Embedding", "rows", [ids, table], [y])
    (d,) = gradients(y, dy, table)
    case("EmbeddingBackward", "rows", [ids, dy, None], [d])
    case("EmbeddingBackward", "addend", [ids, dy, addend], [d + addend])


def matmul():
    for trans in range(4):
        ta, tb = bool(trans & 1), bool(trans & 2)
        a, b = randn(*((4, 6) if ta else (6, 4))), randn(*((9, 4) if tb else (4, 9)))
        product = (a.T if ta else a) @ (b.T if tb else b)
        case("MatMul", f"transA={ta} transB={tb}", [a, b, None, None, None], [product, None], TransA=ta, TransB=tb)
        case("MatMul", f"bf16 transA={ta} transB={tb}", [a.bfloat16().double(), b.bfloat16().double(), None, None, None],
             [(a.bfloat16().double().T if ta else a.bfloat16().double()) @ (b.bfloat16().double().T if tb else b.bfloat16().double()), None],
             TransA=ta, TransB=tb, Compute=1)
    x, w, bias, addend, pre = randn(6, 4), randn(9, 4), randn(9), randn(6, 9), leaf(6, 9)
    case("MatMul", "bias addend", [x, w, bias, addend, None], [F.linear(x, w, bias) + addend, None], TransB=True)
    for name, (act, f) in ACTS.items():
        z = F.linear(x, w, bias)
        case("MatMul", name, [x, w, bias, None, None], [f(z), z], TransB=True, Act=act)
        case("MatMul", name + " backward", [x, w, None, None, pre], [gradients(f(pre), x @ w.T, pre)[0], None],
             TransB=True, Act=act, ActBackward=True)
    a, b = randn(2, 3, 5, 4), randn(2, 3, 6, 4)
    case("MatMul", "batched", [a, b, None, None, None], [a @ b.mT, None], TransB=True)


def norms():
    for rows, cols in [(1, 4), (5, 6)]:
        x, w, b, dy, addend = leaf(rows, cols), leaf(cols), leaf(cols), randn(rows, cols), randn(rows, cols)
        eps = f32(1e-5)
        mean = x.mean(-1)
        rstd = 1 / (x.var(-1, unbiased=False) + eps).sqrt()
        for name, bias, extra in [("bias", b, None), ("addend", None, addend)]:
            y = F.layer_norm(x, (cols,), w, bias, eps)
            wrt = [x, w] + ([b] if bias is not None else [])
            dx, dw, *db = gradients(y, dy, *wrt)
            dx = dx if extra is None else dx + extra
            case("LayerNorm", f"{rows} {name}", [x, w, bias], [y, mean, rstd], Eps=1e-5)
            case("LayerNormBackward", f"{rows} {name}", [x, w, mean, rstd, dy, extra], [dx, dw, db[0] if db else None], Eps=1e-5)
            y = F.rms_norm(x, (cols,), w, eps)
            dx, dw = gradients(y, dy, x, w)
            dx = dx if extra is None else dx + extra
            rms = 1 / ((x**2).mean(-1) + eps).sqrt()
            case("RMSNorm", f"{rows} {name}", [x, w], [y, rms], Eps=1e-5)
            case("RMSNormBackward", f"{rows} {name}", [x, w, rms, dy, extra], [dx, dw], Eps=1e-5)
        case("ColumnSum", f"{rows}", [x, None], [x.sum(0)])
        case("ColumnSum", f"{rows} addend", [x, w], [x.sum(0) + w])


def activations():
    x, dy = (3 * randn(5, 7)).requires_grad_(), randn(5, 7)
    for name, (act, f) in ACTS.items():
        y = f(x)
        case("Activation", name, [x], [y], Act=act)
        case("ActivationBackward", name, [x, dy], gradients(y, dy, x), Act=act)
    up = leaf(5, 7)
    y = F.silu(x) * up
    case("SwiGLU", "gate", [x, up], [y])
    case("SwiGLUBackward", "gate", [x, up, dy], gradients(y, dy, x, up))
    y = F.softmax(x, -1)
    case("Softmax", "rows", [x], [y])
    case("SoftmaxBackward", "rows", [y, dy], gradients(y, dy, x))


def rope():
    heads, hd, length = 2, 8, 10
    positions = ints(0, 9, 4, 4)
    x, dy = leaf(4, heads * hd), randn(4, heads * hd)
    angle = torch.arange(length)[:, None] * 10000.0 ** (-2 * torch.arange(hd // 2) / hd)
    table = torch.cat([angle.cos(), angle.sin()], -1).float().double()
    cos, sin = table[positions, : hd // 2].repeat(1, 2), table[positions, hd // 2 :].repeat(1, 2)
    q = x.view(1, 4, heads, hd).transpose(1, 2)
    y = apply_rotary_pos_emb(q, q, cos[None], sin[None])[0].transpose(1, 2).reshape(4, -1)
    case("RoPE", "llama", [x, table, positions], [y], Heads=heads, HeadDim=hd)
    case("RoPE", "inverse", [dy, table, positions], gradients(y, dy, x), Heads=heads, HeadDim=hd, Inverse=True)


def visible(t, s, causal, window):
    position = torch.arange(t)[:, None] + s - t
    key = torch.arange(s)[None]
    mask = torch.ones(t, s, dtype=torch.bool)
    if causal:
        mask &= key <= position
    if window:
        mask &= (key - position).abs() < window
    return mask


def attend(q, k, v, heads, kv, mask, scale):
    """(B, T, H·hd), (B, S, G·hd) → y (B·T, H·hd), lse (B·H·T); rows that see nothing give 0."""
    b, t, s = q.shape[0], q.shape[1], k.shape[1]
    q = q.view(b, t, heads, -1).transpose(1, 2)
    k, v = (x.view(b, s, kv, -1).transpose(1, 2) for x in (k, v))
    blind = ~mask.any(-1)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask | blind[..., None], scale=scale, enable_gqa=True)
    y = torch.where(blind[..., None], 0.0, y)
    scores = scale * q @ k.repeat_interleave(heads // kv, 1).mT
    lse = torch.logsumexp(scores.masked_fill(~mask, -math.inf), -1)
    return y.transpose(1, 2).reshape(b * t, -1), lse.reshape(-1)


def attention():
    shapes = [  # name, B, T, S, H, G, hd, causal, window, segments, packed
        ("full", 2, 5, 5, 2, 2, 4, False, 0, False, False),
        ("causal", 1, 9, 9, 2, 2, 6, True, 0, False, False),
        ("grouped", 1, 7, 7, 4, 2, 4, True, 0, False, False),
        ("window", 1, 9, 9, 2, 1, 4, True, 3, False, False),
        ("cross", 2, 3, 7, 2, 2, 4, False, 0, False, False),
        ("cross causal", 1, 3, 7, 2, 2, 4, True, 0, False, False),
        ("segments", 2, 6, 6, 2, 2, 4, True, 0, True, False),
        ("cross segments", 2, 3, 6, 2, 2, 4, False, 0, True, False),
        ("packed", 2, 5, 5, 2, 2, 4, True, 0, False, True),
        ("packed grouped segments", 1, 6, 6, 4, 2, 4, True, 0, True, True),
    ]
    for name, b, t, s, heads, kv, hd, causal, window, segmented, packed in shapes:
        scale = f32(1 / math.sqrt(hd))
        wide, narrow = heads * hd, kv * hd
        mask = visible(t, s, causal, window).expand(b, 1, t, s)
        qseg = kseg = None
        if segmented:
            kseg = (torch.arange(b * s).view(b, s) // 2 % 3).int()
            kseg[:, -1] = -1
            qseg = kseg[:, -t:].clone()
            same = (qseg[:, :, None] == kseg[:, None]) & (qseg[:, :, None] >= 0)
            mask = mask & same[:, None]
        dy = randn(b * t, wide)
        if packed:
            x = leaf(b * t, wide + 2 * narrow)
            q, k, v = x.split([wide, narrow, narrow], -1)
            leaves, inputs = [x], [x, None, None]
        else:
            q, k, v = leaf(b * t, wide), leaf(b * s, narrow), leaf(b * s, narrow)
            leaves = inputs = [q, k, v]
        y, lse = attend(q.reshape(b, t, wide), k.reshape(b, s, narrow), v.reshape(b, s, narrow), heads, kv, mask, scale)
        own = [None if qseg is None else qseg.reshape(-1), None if t == s or kseg is None else kseg.reshape(-1)]
        attrs = dict(Batch=b, Heads=heads, KVHeads=kv, HeadDim=hd, Causal=causal, Window=window, Packed=packed, Scale=scale)
        grads = list(gradients(y, dy, *leaves))
        case("Attention", name, inputs + own, [y, lse], **attrs)
        case("AttentionBackward", name, inputs + own + [y, lse, dy], grads + [None] * (3 - len(grads)), **attrs)


def attention_cached():
    heads, kv, hd, capacity = 4, 2, 4, 12
    for name, t, window, positions in [("decode", 1, 0, [5, 0]), ("window", 1, 3, [7, 1]), ("prompt", 4, 0, [0, 8])]:
        b = len(positions)
        q, k, v = randn(b * t, heads * hd), randn(b * t, kv * hd), randn(b * t, kv * hd)
        kcache, vcache = randn(b * capacity, kv * hd), randn(b * capacity, kv * hd)
        knew, vnew, ys = kcache.clone(), vcache.clone(), []
        for i, p in enumerate(positions):
            row = i * capacity
            knew[row + p : row + p + t], vnew[row + p : row + p + t] = k[i * t : (i + 1) * t], v[i * t : (i + 1) * t]
            keys = slice(row, row + p + t)
            ys.append(attend(q[None, i * t : (i + 1) * t], knew[None, keys], vnew[None, keys], heads, kv,
                             visible(t, p + t, True, window)[None, None], 0.5)[0])
        case("AttentionCached", name, [q, k, v, kcache, vcache, ints(*positions)], [torch.cat(ys)], {3: knew, 4: vnew},
             Batch=b, Heads=heads, KVHeads=kv, HeadDim=hd, Causal=True, Window=window, Scale=0.5)


def philox(key, counter):
    for _ in range(10):
        p0, p1 = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [p1 >> 32 ^ counter[1] ^ key[0], p1 & 0xFFFFFFFF, p0 >> 32 ^ counter[3] ^ key[1], p0 & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def dropout():
    seed, row, site, p = 0x9ABCDEF012345678, 0x500000007, 5, f32(0.3)
    # Known answer of Random123's kat_vectors.
    assert philox([0xA4093822, 0x299F31D0], [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]) == [
        0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]
    x = randn(7, 9)
    keep = []
    for element in range(row * 9, (row + 7) * 9):
        block = element // 4
        words = philox([seed & 0xFFFFFFFF, seed >> 32], [block & 0xFFFFFFFF, site, block >> 32, 0])
        keep.append(words[element % 4] >= round(p * 2**32))
    keep = torch.tensor(keep).view(7, 9)
    rng = torch.tensor(np.array([seed & 0xFFFFFFFF, seed >> 32, row & 0xFFFFFFFF, row >> 32], np.uint32).view(np.int32))
    case("Dropout", "philox", [x, rng], [x * keep / (1 - p)], P=p, Site=site)


def losses():
    for name, smoothing, z in [("plain", 0.0, 0.0), ("smoothed", f32(0.1), 0.0), ("z-loss", 0.0, f32(0.01)), ("both", f32(0.2), f32(0.01))]:
        n, v, d = 6, 9, 5
        targets, norm, dloss = ints(3, 8, -1, 0, 3, -1), scalar(0.25), scalar(0.75)
        valid = (targets >= 0).double()

        def score(logits):
            t = targets.long()
            nll = F.cross_entropy(logits, t, reduction="none", ignore_index=-1)
            lse = torch.logsumexp(logits, -1)
            loss = F.cross_entropy(logits, t, reduction="none", ignore_index=-1, label_smoothing=smoothing)
            return (norm * (loss + z * lse**2 * valid).sum()).view(1), nll, lse * valid

        logits = leaf(n, v)
        loss, nll, lse = score(logits)
        attrs = dict(Smoothing=smoothing, ZLoss=z)
        case("CrossEntropy", name, [logits, targets, norm], [loss, nll, lse], **attrs)
        case("CrossEntropyBackward", name, [logits, targets, norm, lse, dloss], gradients(loss, dloss, logits), **attrs)
        x, w, addend = leaf(n, d), leaf(v, d), randn(v, d)
        loss, nll, _ = score(x @ w.T)
        dx, dw = gradients(loss, torch.ones(1), x, w)
        for rows in (6, 4):
            case("LinearCrossEntropy", f"{name} {rows} rows", [x, w, targets, norm, None], [loss, nll, dx, dw], Rows=rows, **attrs)
        case("LinearCrossEntropy", name + " addend", [x, w, targets, norm, addend], [loss, nll, dx, dw + addend], Rows=4, **attrs)
    x, target, dloss = leaf(3, 7), randn(3, 7), scalar(0.75)
    loss = F.mse_loss(x, target).view(1)
    case("MSE", "mean", [x, target], [loss])
    case("MSEBackward", "mean", [x, target, dloss], gradients(loss, dloss, x))


def elementwise():
    a, b, s = randn(3, 5), randn(3, 5), scalar(-0.75)
    case("Add", "same", [a, b], [a + b])
    case("Mul", "same", [a, b], [a * b])
    case("Scale", "alpha", [a], [-1.5 * a], Alpha=-1.5)
    case("ScaleBy", "scalar", [a, s], [a * s])


def shapes():
    x = randn(2, 3, 4, 5)
    case("Reshape", "flatten", [x], [x.reshape(6, 20)])
    for p in [(0, 2, 1, 3), (3, 2, 1, 0), (1, 0, 3, 2), (0, 1, 3, 2), (2, 3, 0, 1)]:
        case("Transpose", str(p), [x], [x.permute(p)], Perm=p)
    for axis in range(4):
        part = x.narrow(axis, 1, 1)
        case("Slice", f"axis {axis}", [x], [part], Axis=axis, Start=1, End=2)
        source = leaf(*x.shape)
        case("SliceBackward", f"axis {axis}", [part], gradients(source.narrow(axis, 1, 1), part, source), Axis=axis, Start=1, End=2)
        other = randn(*[2 if a == axis else n for a, n in enumerate(x.shape)])
        case("Concat", f"axis {axis}", [x, other, x], [torch.cat([x, other, x], axis)], Axis=axis)
    for axes in [(0,), (3,), (1, 2), (0, 2), (1, 3), (0, 1, 2, 3)]:
        y = 0.5 * x.sum(axes, keepdim=True)
        case("ReduceSum", str(axes), [x], [y], Alpha=0.5, Axes=[a in axes for a in range(4)])
        case("Broadcast", str(axes), [y], [0.5 * y.expand(x.shape)], Alpha=0.5)


def hyper(lr, step, first=0, limit=0, beta1=0.0, beta2=0.0):
    return torch.tensor([lr, 1 - beta1**step, 1 - beta2**step, limit, first, 0, 0, 0])


def newton_schulz(u, steps):
    x = u / (u.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


def optimizers():
    lr, decay, beta1, beta2, eps, step = f32(0.01), f32(0.1), f32(0.9), f32(0.99), f32(1e-8), 4
    for clip in (None, scalar(0.25), scalar(math.nan)):
        factor, skip = (1.0 if clip is None else float(clip)), clip is not None and math.isnan(float(clip))
        name = "plain" if clip is None else f"clip {float(clip)}"
        p, g, m, v = randn(4, 5), randn(4, 5), randn(4, 5), randn(4, 5).abs()

        def keep(kind, suffix, inputs, new, **attrs):
            state = {i: inputs[i] if skip else t for i, t in new.items()}
            case(kind, name + suffix, inputs, [], state, **attrs)

        q = p.clone().requires_grad_()
        q.grad = g * (0 if skip else factor)
        adam = torch.optim.AdamW([q], lr=lr * 0.5, betas=(beta1, beta2), eps=eps, weight_decay=decay)
        adam.state[q] = {"step": torch.tensor(step - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
        adam.step()
        keep("AdamW", "", [p, g, m, v, hyper(lr, step, beta1=beta1, beta2=beta2), clip],
             {0: q, 2: adam.state[q]["exp_avg"], 3: adam.state[q]["exp_avg_sq"]},
             Beta1=beta1, Beta2=beta2, Eps=eps, Decay=decay, LRScale=0.5)

        for momentum, nesterov, first in [(0.0, False, 0), (beta1, False, 0), (beta1, True, 0), (beta1, True, 1)]:
            q = p.clone().requires_grad_()
            q.grad = g * (0 if skip else factor)
            sgd = torch.optim.SGD([q], lr=lr * 0.5, momentum=momentum, weight_decay=decay, nesterov=nesterov)
            if momentum and not first:
                sgd.state[q] = {"momentum_buffer": m.clone()}
            sgd.step()
            new = {0: q}
            if momentum:
                new[2] = sgd.state[q]["momentum_buffer"]
            keep("SGD", f" momentum={momentum:.1f} nesterov={nesterov} first={first}",
                 [p, g, m if momentum else None, hyper(lr, step, first), clip], new,
                 Beta1=momentum, Nesterov=nesterov, Decay=decay, LRScale=0.5)

        u = beta1 * m + (1 - beta1) * g * factor
        keep("Lion", "", [p, g, m, hyper(lr, step), clip],
             {0: p - 0.5 * lr * (decay * p + u.sign()), 2: beta2 * m + (1 - beta2) * g * factor},
             Beta1=beta1, Beta2=beta2, Decay=decay, LRScale=0.5)
        for rows, cols, nesterov in [(4, 5, True), (5, 4, False), (12, 3, True)]:
            p, g, m = randn(rows, cols), randn(rows, cols), randn(rows, cols)
            new = beta1 * m + g * factor
            o = newton_schulz(g * factor + beta1 * new if nesterov else new, 5)
            keep("Muon", f" {rows}x{cols}", [p, g, m, hyper(lr, step), clip],
                 {0: (1 - 0.5 * lr * decay) * p - 0.5 * lr * math.sqrt(max(1, rows / cols)) * o, 2: new},
                 Beta1=beta1, Nesterov=nesterov, Decay=decay, LRScale=0.5, NewtonSchulz=5)
        keep("EMA", "", [m, p, clip], {0: beta1 * m + (1 - beta1) * p}, Beta1=beta1)

    for name, limit, max_norm, grads in [
        ("clipped", 0, 1.0, [randn(3, 5), randn(7)]), ("below", 0, 100.0, [randn(3, 5)]), ("no clipping", 0, 0.0, [randn(9)]),
        ("above limit", 3, 1.0, [torch.tensor([3.0, 4.0])]), ("nan", 0, 1.0, [torch.tensor([math.nan, 4.0])])]:
        ps = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
        for q, g in zip(ps, grads):
            q.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(ps, max_norm or math.inf)
        factor = ps[0].grad.flatten()[-1] / grads[0].flatten()[-1] if max_norm else torch.tensor(1.0)
        if limit and norm > limit:
            factor = torch.tensor(math.nan)
        squares = torch.stack([(g**2).sum() for g in grads])
        case("GradNorm", name, [hyper(lr, step, limit=limit), torch.stack([squares, 0 * squares], 1)], [norm.view(1), factor.view(1)], MaxNorm=max_norm)
        rows = torch.zeros(3, 2)
        rows[1, 0] = squares.sum()
        case("SumSquares", name, grads, [rows], Root=1)


def casts():
    x = torch.cat([randn(40), torch.tensor([0.0, -0.0, 1.00390625, 1.01171875, 3.3e38, math.inf, -math.inf, 1e-40], dtype=torch.float64)])
    case("Cast", "bf16 and back", [x], [x.float().bfloat16().double()])


def to_float():
    for name, dtype, values in [("words", None, (-5, 0, 70000)), ("bytes", "u8", range(256)), ("nibbles", "u4", range(15)), ("bits", "u1", (1, 0, 0, 1, 1, 1, 0, 1, 0, 1))]:
        x = ints(*values)
        scale, shift = f32(1 / 127.5), -1.0
        case("ToFloat", name, [x], [x.double() * scale + shift], Scale=scale, Shift=shift)
        if dtype:
            CASES["ToFloat"][-1]["in"][0]["packed"] = dtype


def relative_attention():
    """With the shift of the published code: pad a column, view, drop a row."""
    for name, b, t, s, heads, hd, window, reached in [
        ("no memory", 2, 5, 5, 2, 4, 0, False), ("memory", 2, 3, 8, 2, 4, 0, False), ("same length", 1, 4, 9, 2, 6, 5, False), ("documents", 2, 4, 7, 1, 4, 0, True)]:
        scale = f32(1 / math.sqrt(hd))
        wide = heads * hd
        q, k, v, qr, r = leaf(b * t, wide), leaf(b * s, wide), leaf(b * s, wide), leaf(b * t, wide), leaf(s, wide)
        content = torch.einsum("bthd,bshd->bhts", q.view(b, t, heads, hd), k.view(b, s, heads, hd))
        distance = torch.einsum("bthd,shd->bhts", qr.view(b, t, heads, hd), r.view(s, heads, hd))
        padded = F.pad(distance, (1, 0)).reshape(b, heads, s + 1, t)
        scores = scale * (content + padded[:, :, 1:].reshape(b, heads, t, s))
        behind = torch.arange(t)[:, None] + s - t - torch.arange(s)[None]
        mask = ((behind >= 0) & (behind < (window or s + 1))).expand(b, 1, t, s)
        reach = None
        if reached:
            reach = torch.arange(b * t, dtype=torch.int32) % 5
            mask = mask & (behind <= reach.view(b, 1, t, 1))
        scores = scores.masked_fill(~mask, -math.inf)
        lse = torch.logsumexp(scores, -1)
        y = torch.einsum("bhts,bshd->bthd", scores.softmax(-1), v.view(b, s, heads, hd)).reshape(b * t, wide)
        dy = randn(b * t, wide)
        attrs = dict(Batch=b, Heads=heads, HeadDim=hd, Window=window, Scale=scale)
        case("RelativeAttention", name, [q, k, v, qr, r, reach], [y, lse.reshape(-1)], **attrs)
        case("RelativeAttentionBackward", name, [q, k, v, qr, r, reach, y, lse.reshape(-1), dy], list(gradients(y, dy, q, k, v, qr, r)), **attrs)
        if reached or window:
            continue
        # The last query alone, with the last key, over a cache of the others.
        window, position = 6, 3
        last, lastr, knew, vnew = (x.detach().view(b, -1, wide)[:, -1] for x in (q, qr, k, v))
        old = [x.detach().view(b, s, wide)[:, :5] for x in (k, v)]
        new = [x.clone() for x in old]
        new[0][:, position], new[1][:, position] = knew, vnew
        rows = randn(window, wide)
        keys, values = (x[:, : position + 1].reshape(b, position + 1, heads, hd) for x in new)
        score = scale * (torch.einsum("bhd,bshd->bhs", last.view(b, heads, hd), keys)
                         + torch.einsum("bhd,shd->bhs", lastr.view(b, heads, hd), rows[-position - 1 :].view(-1, heads, hd)))
        out = torch.einsum("bhs,bshd->bhd", score.softmax(-1), values).reshape(b, wide)
        case("RelativeAttentionCached", name, [last, knew, vnew, lastr, rows, *(x.reshape(b * 5, wide) for x in old), ints(*[position] * b)], [out],
             {5: new[0].reshape(b * 5, wide), 6: new[1].reshape(b * 5, wide)}, Batch=b, Heads=heads, HeadDim=hd, Window=window, Scale=scale)


def assign():
    state, x = randn(3, 4), randn(3, 4)
    x[0, 1], x[1, 2], x[2, 0] = math.nan, math.inf, -math.inf
    case("Assign", "handed on", [state, x], [], {0: torch.where(x.isfinite(), x, state)}, Mean=False)


def collectives():
    """Of a process that is alone."""
    x = randn(5, 3)
    for kind in ["AllReduce", "ReduceTo", "BroadcastFrom", "Await"]:
        case(kind, "alone", [x], [x])


def recurrent():
    """Steps written out, held against torch.nn.LSTM and torch.nn.GRU."""
    batch, tokens, width = 3, 5, 3
    cases = [  # name, GRU, hidden, projection, bias, first states, segments, reverse
        ("lstm", 0, 4, 0, True, False, False, False),
        ("lstm first", 0, 4, 0, False, True, False, False),
        ("lstm projection", 0, 5, 3, True, True, False, False),
        ("lstm segments", 0, 4, 0, True, True, True, False),
        ("lstm reverse", 0, 4, 0, True, True, True, True),
        ("gru", 1, 4, 0, True, False, False, False),
        ("gru first", 1, 4, 0, False, True, False, False),
        ("gru segments reverse", 1, 4, 0, True, True, True, True),
    ]
    for name, cell, hidden, projection, biased, first, segmented, reverse in cases:
        state, gates = projection or hidden, 3 if cell else 4
        rnn = torch.nn.GRU(width, hidden, batch_first=True) if cell else torch.nn.LSTM(width, hidden, batch_first=True, proj_size=projection)
        with torch.no_grad():
            for p in rnn.parameters():
                p.copy_(0.8 * randn(*p.shape) if biased or p.dim() == 2 else torch.zeros(p.shape))
        source = randn(batch, tokens, width)
        x = (source @ rnn.weight_ih_l0.T + rnn.bias_ih_l0).float().double().detach().reshape(-1, gates * hidden).requires_grad_()
        w, b = rnn.weight_hh_l0.detach().clone().requires_grad_(), rnn.bias_hh_l0.detach()
        wr = rnn.weight_hr_l0.detach().clone().requires_grad_() if projection else None
        h0, c0 = (leaf(batch, state), None if cell else leaf(batch, hidden)) if first else (None, None)
        ids = torch.tensor([[0, 0, 1, 1, 2], [4, 4, 4, 4, 4], [0, 1, 1, -1, -1]]) if segmented else torch.zeros(batch, tokens)
        inner = torch.zeros(batch * tokens, gates * hidden, requires_grad=True)  # joins w·h + b, whose gradient it has
        h = torch.zeros(batch, state) if h0 is None else h0
        c = torch.zeros(batch, hidden) if c0 is None else c0
        rows = torch.arange(batch * tokens).view(batch, tokens)
        kept = {k: [None] * tokens for k in ("y", "gates", "cell", "previous", "full")}
        order = range(tokens - 1, -1, -1) if reverse else range(tokens)
        for step, t in enumerate(order):
            if step:
                same = (ids[:, t] == ids[:, order[step - 1]])[:, None]
                h, c = torch.where(same, h, 0), torch.where(same, c, 0)
            kept["previous"][t] = h
            g = h @ w.T + b + inner[rows[:, t]]
            xt = x[rows[:, t]]
            if cell:
                q = g[:, 2 * hidden :]
                r, z = (xt[:, : 2 * hidden] + g[:, : 2 * hidden]).sigmoid().chunk(2, 1)
                n = torch.tanh(xt[:, 2 * hidden :] + r * q)
                h = full = (1 - z) * n + z * h
                kept["gates"][t], kept["cell"][t] = torch.cat([r, z, n], 1), q
            else:
                i, f, n, o = (xt + g).chunk(4, 1)
                i, f, n, o = i.sigmoid(), f.sigmoid(), n.tanh(), o.sigmoid()
                c = f * c + i * n
                h = full = o * c.tanh()
                h = h if wr is None else h @ wr.T
                kept["gates"][t], kept["cell"][t] = torch.cat([i, f, n, o], 1), c
            kept["y"][t], kept["full"][t] = h, full
        flat = {k: torch.stack(v, 1).reshape(batch * tokens, -1) for k, v in kept.items()}
        y, dy = flat["y"], randn(batch * tokens, state)
        wrt = [x, inner, w] + [p for p in (wr, h0, c0) if p is not None]
        dx, dg, dw, *rest = gradients(y, dy, *wrt)
        assert torch.allclose(dw, dg.T @ flat["previous"])
        dwr = rest.pop(0) if projection else None
        dh0, dc0 = ((rest + [None])[:2] if first else (None, None))
        if not segmented and not reverse:
            begin = None if h0 is None else h0[None] if cell else (h0[None], c0[None])
            theirs = rnn(source, begin)[0]
            assert torch.allclose(theirs.reshape(y.shape), y, atol=1e-6), name
        dprojected = None
        if projection:  # dwr = dprojectedᵀ·full has it: solve by the gradient of y through time
            dprojected = projected_gradient(y, dy, kept["y"], flat["y"])
            assert torch.allclose(dwr, dprojected.T @ flat["full"])
        attrs = dict(Cell=cell, Batch=batch, Reverse=reverse)
        segments = ids.reshape(-1).int() if segmented else None
        bias = b if biased else None
        case("Recurrent", name, [x, w, bias, wr, h0, c0, segments], [y, flat["gates"], flat["cell"]], **attrs)
        case("RecurrentBackward", name, [w, wr, h0, c0, segments, flat["gates"], flat["cell"], y, dy],
             [dx, dg if cell else None, flat["previous"], dprojected, flat["full"] if projection else None, dh0, dc0], **attrs)
        if segmented or reverse or first:
            continue
        # The last two tokens from the states behind the others; another sequence from its beginning.
        capacity, known = 7, tokens - 2
        hcache = randn(batch, capacity, state)
        ccache = None if cell else randn(batch, capacity, hidden)
        ys, cells = y.reshape(batch, tokens, -1), flat["cell"].reshape(batch, tokens, -1)
        hcache[:, known - 1] = ys[:, known - 1]
        after_h, after_c = hcache.clone(), None
        after_h[:, known : known + 2] = ys[:, known:]
        if not cell:
            ccache[:, known - 1] = cells[:, known - 1]
            after_c = ccache.clone()
            after_c[:, known : known + 2] = cells[:, known:]
        case("RecurrentCached", name, [x.reshape(batch, tokens, -1)[:, known:].reshape(batch * 2, -1), w, bias, wr,
             hcache.reshape(-1, state), None if cell else ccache.reshape(-1, hidden), ints(*[known] * batch)],
             [ys[:, known:].reshape(batch * 2, -1)],
             {4: after_h.reshape(-1, state)} | ({} if cell else {5: after_c.reshape(-1, hidden)}), Cell=cell, Batch=batch)


def projected_gradient(y, dy, steps, flat):
    """The gradient of each step's y with what later steps add, (B·T, P)."""
    each = torch.autograd.grad(flat, steps, dy, retain_graph=True)
    return torch.stack(each, 1).reshape(dy.shape)


def log_probs():
    for name, entropy, scale in [("plain", False, 1.0), ("entropy", True, 1.0), ("hot", True, 0.625), ("cold", False, 1.5)]:
        n, v, d = 6, 9, 5
        x, w, addend, targets = leaf(n, d), leaf(v, d), randn(v, d), ints(3, 8, -1, 0, 3, -1)
        valid = (targets >= 0).double()
        p = torch.distributions.Categorical(logits=scale * x @ w.T)
        logp = p.log_prob(targets.long().clamp(min=0)) * valid
        y = torch.stack([logp] + [p.entropy() * valid] * entropy)
        lse = torch.logsumexp(scale * x @ w.T, -1) * valid
        dy = randn(*y.shape)
        dx, dw = gradients(y, dy, x, w)
        for rows in (6, 4):
            attrs = dict(Scale=scale, Entropy=entropy, Rows=rows)
            case("LinearLogProb", f"{name} {rows} rows", [x, w, targets], [y, lse], **attrs)
            case("LinearLogProbBackward", f"{name} {rows} rows", [x, w, targets, dy, None], [dx, dw], **attrs)
        case("LinearLogProbBackward", name + " addend", [x, w, targets, dy, addend], [dx, dw + addend], **attrs)


def top_log_probs():
    n, v, d = 5, 9, 4
    for name, k, scale in [("top", 3, 1.0), ("hot", 8, 0.5), ("whole", 9, 1.5)]:
        x, w, addend = leaf(n, d), leaf(v, d), randn(v, d)
        classes = torch.stack([torch.randperm(v)[:k] for _ in range(n)]).int()
        classes[1] = -1
        logp = F.log_softmax(scale * x @ w.T, -1)
        y = logp.gather(1, classes.long().clamp(min=0))
        if k < v:
            taken = torch.zeros(n, v, dtype=torch.bool).scatter(1, classes.long().clamp(min=0), True)
            y = torch.cat([y, torch.logsumexp(logp.masked_fill(taken, -math.inf), -1, keepdim=True)], 1)
        y = y * (classes[:, :1] >= 0)
        dy = randn(*y.shape)
        dx, dw = gradients(y, dy, x, w)
        attrs = dict(Scale=scale, Rest=k < v, Rows=2)
        case("LinearTopLogProb", name, [x, w, classes], [y], **attrs)
        case("LinearTopLogProbBackward", name, [x, w, classes, dy, None], [dx, dw], **attrs)
        case("LinearTopLogProbBackward", name + " addend", [x, w, classes, dy, addend], [dx, dw + addend], **attrs)


def maps():
    lo, hi = -0.5, 0.75
    unary = [lambda x: lo * x + hi, torch.exp, torch.log, torch.sigmoid, F.logsigmoid, lambda x: torch.log(-torch.expm1(x)),
             lambda x: x.clamp(lo, hi), torch.sign, lambda x: 0 * x + (x > 0)]
    for code, f in enumerate(unary):
        x, dy = leaf(4, 7), randn(4, 7)
        if code in (2, 5):  # log of what is above 0, log1mexp of what is below
            x = (x.detach().abs() + 0.25).requires_grad_() if code == 2 else (-x.detach().abs() - 0.25).requires_grad_()
        attrs = dict(Fn=code, A=lo, B=hi)
        case("Map", f"function {code}", [x, None], [f(x)], **attrs)
        case("MapBackward", f"function {code}", [x, None, dy], gradients(f(x), dy, x), **attrs)
    for code, f in [(9, torch.minimum), (10, torch.maximum)]:
        x, b, dy = leaf(4, 7), randn(4, 7), randn(4, 7)
        b[1] = x[1].detach()
        case("Map", f"function {code}", [x, b], [f(x, b)], Fn=code)
        case("MapBackward", f"function {code}", [x, b, dy], gradients(f(x, b), dy, x), Fn=code)
    x, segments, count = randn(8), ints(0, 0, 2, -1, 2, 4, 0, 2), 5
    known = segments >= 0
    case("SegmentSum", "scattered", [x, segments], [torch.zeros(count).index_add(0, segments[known].long(), x[known])])
    y = randn(count)
    case("SegmentBroadcast", "scattered", [y, segments], [torch.where(known, y[segments.long().clamp(min=0)], 0.0)])


def rows(x):
    """Pictures (B, C, H, W) as a matrix, a row a pixel."""
    return x.movedim(1, -1).reshape(-1, x.shape[1])


def last(w):
    """Weights (K, C, H, W) with the channels last."""
    return w.movedim(1, -1)


def pictures():
    for name, out, into, groups, stride, pad in [("plain", 3, 4, 1, (1, 1), (1, 1)), ("strides", 4, 3, 1, (2, 3), (1, 0)), ("groups", 6, 4, 2, (2, 1), (0, 2))]:
        x, w, bias = leaf(2, into, 7, 6), leaf(out, into // groups, 3, 2), leaf(out)
        y = F.conv2d(x, w, bias, stride, pad, groups=groups)
        dy = randn(*y.shape)
        dx, dw = gradients(y, dy, x, w)
        attrs = dict(Batch=2, Height=7, Width=6, Kernel=[3, 2], Stride=list(stride), Pad=[pad[0], pad[1], pad[0], pad[1]], Groups=groups)
        addends = randn(*rows(y).shape), randn(*rows(x).shape), randn(*last(w).shape)
        case("Conv", name, [rows(x), last(w), bias, None], [rows(y)], **attrs)
        case("Conv", name + " addend", [rows(x), last(w), None, addends[0]], [rows(y) - bias + addends[0]], **attrs)
        case("ConvInput", name, [rows(dy), last(w), None, None], [rows(dx)], **attrs)
        case("ConvInput", name + " addend", [rows(dy), last(w), None, addends[1]], [rows(dx) + addends[1]], **attrs)
        case("ConvWeights", name, [rows(x), rows(dy), None], [last(dw)], **attrs)
        case("ConvWeights", name + " addend", [rows(x), rows(dy), addends[2]], [last(dw) + addends[2]], **attrs)
    z, w, bias = randn(2, 3, 4, 5), randn(3, 6, 4, 4), randn(6)
    case("ConvInput", "transposed", [rows(z), last(w), bias, None], [rows(F.conv_transpose2d(z, w, bias, 2, 1))],
         Batch=2, Height=8, Width=10, Kernel=[4, 4], Stride=[2, 2], Pad=[1, 1, 1, 1], Groups=1)
    for name, groups, act, f in [("plain", 2, 0, lambda x: x), ("silu", 3, 3, F.silu)]:
        x, w, b, addend = leaf(2, 6, 3, 4), leaf(6), leaf(6), randn(24, 6)
        y = f(F.group_norm(x, groups, w, b, f32(1e-5)))
        dy = randn(*y.shape)
        of = x.reshape(2, groups, -1)
        mean, rstd = of.mean(-1).reshape(-1), (of.var(-1, unbiased=False) + f32(1e-5)).rsqrt().reshape(-1)
        dx, dw, db = gradients(y, dy, x, w, b)
        attrs = dict(Batch=2, Groups=groups, Eps=1e-5, Act=act)
        case("GroupNorm", name, [rows(x), w, b], [rows(y), mean, rstd], **attrs)
        case("GroupNormBackward", name, [rows(x), w, b, mean, rstd, rows(dy), None], [rows(dx), dw, db], **attrs)
        case("GroupNormBackward", name + " addend", [rows(x), w, b, mean, rstd, rows(dy), addend], [rows(dx) + addend, dw, db], **attrs)
    x, dy = (3 * randn(5, 7)).requires_grad_(), randn(5, 7)
    for name, act, f in [("tanh", 6, torch.tanh), ("leaky_relu", 7, lambda x: F.leaky_relu(x, 0.2))]:
        case("Activation", name, [x], [f(x)], Act=act)
        case("ActivationBackward", name, [x, dy], gradients(f(x), dy, x), Act=act)
    x = randn(2, 5, 3, 4)
    attrs = dict(Batch=2, Height=3, Width=4, Factor=[2, 3])
    y = x.repeat_interleave(2, 2).repeat_interleave(3, 3)
    case("Upsample", "nearest", [rows(x)], [rows(y)], Alpha=1, **attrs)
    y = randn(*y.shape)
    case("SumPool", "mean", [rows(y)], [rows(F.avg_pool2d(y, (2, 3)))], Alpha=f32(1 / 6), **attrs)
    case("SumPool", "sum", [rows(y)], [rows(F.avg_pool2d(y, (2, 3)) * 6)], Alpha=1, **attrs)
    drawn = []
    for block in range(5, 11):
        a, b, c, d = philox((7, -9 & 0xFFFFFFFF), (block, 2, 0, 0))
        for p, q in ((a, b), (c, d)):
            radius = math.sqrt(-2 * math.log(((p >> 9) + 0.5) / 2**23))
            angle = 2 * math.pi * (q >> 8) / 2**24
            drawn += [radius * math.cos(angle), radius * math.sin(angle)]
    case("Normal", "rows from 5 on", [ints(7, -9, 5, 0)], [torch.tensor(drawn).reshape(6, 4)], Site=2)


def pools():
    for name, kernel, stride, pad in [("plain", (2, 2), (2, 2), (0, 0)), ("overlapping", (3, 2), (2, 1), (1, 1))]:
        x = leaf(2, 3, 6, 8)
        y = F.max_pool2d(x, kernel, stride, pad)
        dy = randn(*y.shape)
        attrs = dict(Batch=2, Height=6, Width=8, Kernel=list(kernel), Stride=list(stride), Pad=[pad[0], pad[1], pad[0], pad[1]])
        case("MaxPool", name, [rows(x)], [rows(y)], **attrs)
        case("MaxPoolBackward", name, [rows(x), rows(y), rows(dy)], [rows(*gradients(y, dy, x))], **attrs)
    x, w, b = leaf(3, 5, 2, 4), leaf(5), leaf(5)
    mean, variance = torch.zeros(5), torch.zeros(5)
    y = F.batch_norm(x, mean, variance, w, b, training=True, momentum=1, eps=f32(1e-5))
    dy = randn(*y.shape)
    rstd = (x.var((0, 2, 3), unbiased=False) + f32(1e-5)).rsqrt()
    attrs = dict(Batch=1, Groups=5, Eps=1e-5, Act=0)
    case("GroupNorm", "batch", [rows(x), w, b], [rows(y), mean, rstd], **attrs)
    case("GroupNormBackward", "batch", [rows(x), w, b, mean, rstd, rows(dy), None], [rows(g) if g.dim() > 1 else g for g in gradients(y, dy, x, w, b)], **attrs)


def adapters():
    x, scales, bias = leaf(3, 5), leaf(5), leaf(5)
    case("ScaleColumns", "plain", [x, scales, None], [x * scales])
    case("ScaleColumns", "bias", [x, scales, bias], [x * scales + bias])
    a, w, b = randn(2, 7), randn(4, 7), randn(4, 2)
    y = 1 / torch.linalg.norm(w + 0.5 * b @ a, dim=1)
    case("InverseNorms", "out in", [a, w, b], [y], Scale=0.5, InOut=False)
    case("InverseNorms", "in out", [a, w.T, b], [y], Scale=0.5, InOut=True)


for family in (embedding, matmul, norms, activations, rope, attention, attention_cached, dropout, losses, elementwise, shapes, optimizers, casts, to_float, collectives, assign, recurrent, relative_attention, log_probs, maps, pictures, pools, top_log_probs, adapters):
    family()
OUT.mkdir(parents=True, exist_ok=True)
for kind, cases in CASES.items():
    (OUT / f"{kind}.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
