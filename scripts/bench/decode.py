"""Both sides of scripts/bench/decode.sh: greedy text of SmolLM2-135M-Instruct by `gotrain sample` and by llama.cpp.

    decode.py compare DIR ROUNDS
    decode.py llama FILE PROMPT

DIR has the binary `gotrain`, the files `f32.gguf`, `bf16.gguf`, `q8_0.gguf` and `q4_k.gguf`, and each of them imported.
The first prints a table of the medians over all rounds, which alternate between the sides. Each is a process of its
own: tokens of the prompt a second, tokens a second after the first new one, milliseconds to that and most memory.
"""

import json
import os
import subprocess
import sys
from statistics import median

THREADS = int(os.environ.get("THREADS", "2"))
PROMPT, NEW = 512, 128
TYPES = ["f32", "bf16", "q8_0", "q4_k"]
PRECISION = {"f32": "float32"}  # the others compute in bfloat16
WORDS = "the rays of light that fall upon a wall through a small hole in the shutter of a dark room paint there the colours of the sun ".split()


def run_llama(file, prompt):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_ctx, params.n_parallel, params.warmup = PROMPT + NEW + 64, 1, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    server = xllamacpp.Server(params)
    request = {"prompt": open(prompt).read(), "n_predict": NEW + 1, "temperature": 0, "cache_prompt": False, "ignore_eos": True}
    times = [server.handle_completions(request)["timings"] for _ in range(2)][-1]
    print(json.dumps({"prompt": times["prompt_n"], "prompt_per_s": times["prompt_per_second"], "per_s": times["predicted_per_second"], "first_ms": times["prompt_ms"]}))
    sys.stdout.flush()
    os._exit(0)  # the server's threads do not end by themselves


def run(command):
    """Returns what a command prints, and its peak memory in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: status {status}")
    return out, usage.ru_maxrss / 1024


def gotrain(root, kind, prompt):
    out, memory = run([f"{root}/gotrain", "sample", "--model", f"{root}/{kind}", "--prompt-file", prompt, "--greedy", "--json", "--max-tokens", str(NEW + 1), "--device", "cpu", "--precision", PRECISION.get(kind, "bfloat16")])
    r = json.loads(out)
    n, first = len(r["tokens"]), r["first_token_ms"] / 1e3
    return [r["prompt_tokens"] / first, (n - 1) / (n / r["tokens_per_s"] - first), 1e3 * first, memory]


def llama(root, kind, prompt):
    out, memory = run([sys.executable, __file__, "llama", f"{root}/{kind}.gguf", prompt])
    r = json.loads(out.splitlines()[-1])
    return [r["prompt_per_s"], r["per_s"], r["first_ms"], memory]


def compare(root, rounds):
    prompt = f"{root}/prompt.txt"
    with open(prompt, "w") as f:
        f.write(" ".join(WORDS[i % len(WORDS)] for i in range(PROMPT)))
    print(f"SmolLM2-135M-Instruct, greedy, {THREADS} threads\n{'':18s} {'prompt/s':>9s} {'decoded/s':>9s} {'first ms':>9s} {'MiB':>7s}")
    for kind in TYPES:
        sides = {"gotrain": [], "llama.cpp": []}
        for _ in range(rounds):
            sides["gotrain"].append(gotrain(root, kind, prompt))
            sides["llama.cpp"].append(llama(root, kind, prompt))
        rows = {name: [median(column) for column in zip(*runs)] for name, runs in sides.items()}
        for name, row in rows.items():
            print(f"{kind:6s} {name:11s} {row[0]:9.1f} {row[1]:9.1f} {row[2]:9.0f} {row[3]:7.0f}")
        ratio = [a / b for a, b in zip(*rows.values())]
        print(f"{'':6s} {'ratio':11s} {ratio[0]:9.2f} {ratio[1]:9.2f} {ratio[2]:9.2f} {ratio[3]:7.2f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "llama":
        run_llama(*sys.argv[2:4])
    else:
        compare(sys.argv[2], int(sys.argv[3]))
