"""The PyTorch side of scripts/gpu-check, which measures what `gotrain bench` has measured.

    torch_gpt2.py probe                          # what is here; fails where PyTorch has no GPU
    torch_gpt2.py kernels CASES [options]        # the kernels of a bench --json
    torch_gpt2.py step CASES NAME [options]      # one of its training steps

Prints one JSON object. A step is forward, backward and fused AdamW without clipping, in bfloat16 autocast with float32
parameters, under torch.compile; the loss is read at the end of each step, as gotrain reads it. The model is GPT-2 with
tied embeddings, scaled_dot_product_attention and tanh GELU. Kernels run in bfloat16, several launches between two
events, over arguments larger than the caches; the best of several runs counts.
"""

import argparse
import contextlib
import json
import sys
import time

START = time.perf_counter()

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel
except ImportError as e:
    sys.exit(f"PyTorch is not here: {e}")

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
BF16 = torch.bfloat16


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):  # (B, T, D)
        b, t, d = x.shape
        q, k, v = self.qkv(self.ln_1(x)).split(d, 2)
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in (q, k, v))  # (B, H, T, hd)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class GPT2(nn.Module):
    def __init__(self, layers, heads, width, context, vocab):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, targets):  # (B, T) each
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.ln_f(x), self.wte.weight)  # (B, T, V)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def attention_backend(device, name):
    return sdpa_kernel([BACKENDS[name]]) if device == "cuda" else contextlib.nullcontext()


def measure_step(case, attention, device, seconds, compiled, began):
    torch.manual_seed(0)
    with torch.device(device):
        model = GPT2(case["layers"], case["heads"], case["width"], case["context"], case["vocab"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if compiled else model
    # Pinned memory, so that the copies are as cheap as gotrain's.
    ids, targets = (torch.randint(case["vocab"], (case["batch"], case["context"]), pin_memory=device == "cuda") for _ in "it")

    def step():
        with torch.autocast(device, BF16):
            loss = forward(ids.to(device, non_blocking=True), targets.to(device, non_blocking=True))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    times = []
    with attention_backend(device, attention):
        step()
        first = time.perf_counter() - began
        for _ in range(3):
            step()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(times) < 5:
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
    times.sort()
    median = times[len(times) // 2]
    result = {"step_ms": 1e3 * median, "tokens_per_s": ids.numel() / median, "first_step_s": first}
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        result |= {"peak_allocated_bytes": torch.cuda.max_memory_allocated(),
                   "peak_reserved_bytes": torch.cuda.max_memory_reserved(), "used_bytes": total - free}
    return result


def measure_steps(case, attentions, device, seconds, compiled):
    """Measures with each attention; without torch.compile where that fails, as it does without a C compiler."""
    results, began = [], START
    for attention in attentions:
        for mode in ["compiled", "eager"] if compiled else ["eager"]:
            result = {"name": case["name"], "attention": f"{attention if device == 'cuda' else 'default'}, {mode}"}
            results.append(result)
            try:
                result |= measure_step(case, attention, device, seconds, mode == "compiled", began)
                break
            except torch.cuda.OutOfMemoryError as e:
                result["error"] = first_line(e)
                break
            except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as e:
                result["error"] = first_line(e)
            finally:
                began = time.perf_counter()
                torch._dynamo.reset()
                if device == "cuda":
                    torch.cuda.empty_cache()
                    torch.cuda.reset_peak_memory_stats()
    return results


def first_line(e):
    return f"{type(e).__name__}: {str(e).strip().splitlines()[0] if str(e).strip() else ''}"


def best_ms(calls, device, seconds):
    """Runs calls in turn, in batches of about 20 ms; returns the best time of one."""

    def batch(n):
        if device == "cuda":
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in "ss")
            start.record()
            for i in range(n):
                calls[i % len(calls)]()
            stop.record()
            stop.synchronize()
            return start.elapsed_time(stop) / n
        began = time.perf_counter()
        for i in range(n):
            calls[i % len(calls)]()
        return 1e3 * (time.perf_counter() - began) / n

    for call in calls:
        call()
    batch(3)
    n = int(min(1000, max(1, 20 / batch(3))))
    end = time.perf_counter() + seconds
    times = [batch(n) for _ in range(3)]
    while time.perf_counter() < end:
        times.append(batch(n))
    return min(times)


def uniform(*shape, device, dtype=BF16):
    """Floats from -1 to 1, as gotrain bench takes them."""
    return torch.empty(shape, device=device, dtype=torch.float32).uniform_(-1, 1).to(dtype)


# Each of the following returns, by implementation, a function that makes one set of arguments and returns the call to
# measure. s is the shape of a kernel of gotrain bench.


def matmul(s, device, gelu):
    def product():
        a = uniform(*((s["k"], s["m"]) if s.get("trans_a") else (s["m"], s["k"])), device=device)
        b = uniform(*((s["n"], s["k"]) if s.get("trans_b") else (s["k"], s["n"])), device=device)
        return a.T if s.get("trans_a") else a, b.T if s.get("trans_b") else b

    def plain():
        a, b = product()
        return lambda: a @ b

    def with_gelu():
        (a, b), bias = product(), uniform(s["n"], device=device)
        return lambda: F.gelu(torch.addmm(bias, a, b), approximate="tanh")

    return {"cublas, gelu": with_gelu} if gelu else {"cublas": plain}


def heads(s, device, grad):
    shape = s["batch"], s["length"], s["heads"], s["head_dim"]
    return [uniform(*shape, device=device).transpose(1, 2).requires_grad_(grad) for _ in "qkv"]


def attention(s, device, backward):
    def of(name):
        def make():
            q, k, v = heads(s, device, backward)

            def forward():
                with attention_backend(device, name):
                    return F.scaled_dot_product_attention(q, k, v, is_causal=True)

            if not backward:
                return forward
            y = forward()
            dy = torch.randn_like(y)
            return lambda: torch.autograd.grad(y, (q, k, v), dy, retain_graph=True)

        return make

    return {name: of(name) for name in (BACKENDS if device == "cuda" else ["default"])}


def layernorm(s, device):
    def make():
        x, w, b = uniform(s["rows"], s["width"], device=device), *(uniform(s["width"], device=device) for _ in "wb")
        return lambda: F.layer_norm(x, (s["width"],), w, b)

    return {"eager": make}


def layernorm_backward(s, device):
    def make():
        x, dy = (uniform(s["rows"], s["width"], device=device) for _ in "xd")
        w, b = (uniform(s["width"], device=device) for _ in "wb")
        _, mean, rstd = torch.native_layer_norm(x, (s["width"],), w, b, 1e-5)
        return lambda: torch.ops.aten.native_layer_norm_backward(dy, x, (s["width"],), mean, rstd, w, b, [True] * 3)

    return {"eager": make}


def activation(s, device):
    def make():
        x = uniform(s["rows"], s["width"], device=device)
        return lambda: F.gelu(x, approximate="tanh")

    return {"eager": make}


def adamw(s, device):
    def make():
        p = nn.Parameter(uniform(s["params"], device=device, dtype=torch.float32))
        p.grad = uniform(s["params"], device=device, dtype=torch.float32)
        return torch.optim.AdamW([p], lr=1e-4, fused=True).step

    return {"fused": make}


def linear_cross_entropy(s, device):
    def loss(x, w, targets):
        return F.cross_entropy((x @ w.T).float(), targets)

    def of(f):
        def make():
            x = uniform(s["rows"], s["width"], device=device).requires_grad_()
            w = uniform(s["vocab"], s["width"], device=device).requires_grad_()
            targets = torch.randint(s["vocab"], (s["rows"],), device=device)
            return lambda: torch.autograd.grad(f(x, w, targets), (x, w))

        return make

    return {"compiled": of(torch.compile(loss)), "eager": of(loss)}


def implementations(kernel, device):
    s = kernel["shape"]
    return {
        "MatMul": lambda: matmul(s, device, "GELU" in kernel["name"]),
        "Attention": lambda: attention(s, device, False),
        "AttentionBackward": lambda: attention(s, device, True),
        "LayerNorm": lambda: layernorm(s, device),
        "LayerNormBackward": lambda: layernorm_backward(s, device),
        "Activation": lambda: activation(s, device),
        "AdamW": lambda: adamw(s, device),
        "LinearCrossEntropy": lambda: linear_cross_entropy(s, device),
    }[kernel["kind"]]()


def sets(kernel):
    """How many sets of arguments no cache holds; one of those that are large."""
    moved = 1e6 * kernel["gb_per_s"] * kernel["ms"]
    return int(max(1, min(8, 1 + 256e6 // max(moved, 1)))) if moved < 256e6 else 1


def measure_kernel(kernel, device, seconds):
    result = {"name": kernel["name"], "ms": {}}
    for name, make in implementations(kernel, device).items():
        try:
            result["ms"][name] = best_ms([make() for _ in range(sets(kernel))], device, seconds)
        except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as e:
            result["error"] = f"{name}: {first_line(e)}"
        if device == "cuda":
            torch.cuda.empty_cache()
    return result


def probe(device):
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no GPU")
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {name}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["probe", "kernels", "step"])
    p.add_argument("cases", nargs="?", help="the JSON of gotrain bench")
    p.add_argument("name", nargs="?", help="of the step")
    p.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    p.add_argument("--seconds", type=float, default=3, help="for a step; a tenth of it for each kernel")
    p.add_argument("--attention", nargs="+", default=["flash"], choices=list(BACKENDS), help="of steps, one after the other")
    p.add_argument("--eager", action="store_true", help="steps without torch.compile")
    args = p.parse_args()
    about = probe(args.device)
    if args.what == "probe":
        print(about)
        return
    torch.set_float32_matmul_precision("high")
    with open(args.cases) as f:
        cases = json.load(f)
    result = {"torch": about}
    if args.what == "kernels":
        result["kernels"] = [measure_kernel(k, args.device, args.seconds / 10) for k in cases["kernels"]]
    else:
        case = next(s for s in cases["steps"] if s["name"] == args.name)
        result["steps"] = measure_steps(case, args.attention, args.device, args.seconds, not args.eager)
    print(json.dumps(result))


main()
