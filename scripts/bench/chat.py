"""Both sides of scripts/bench/chat.sh: answers of SmolLM2-135M-Instruct by
`gotrain chat` and by transformers, greedy, float32, from the same directory.

    chat.py compare GOTRAIN MODEL ROUNDS TOKENS
    chat.py torch MODEL TOKENS

The first prints a table of the medians over the questions of all rounds, which
alternate: milliseconds from the question to the first token, and tokens a second
behind it.
"""

import json
import os
import subprocess
import sys
import time
from statistics import median

QUESTIONS = ["What is the capital of France?", "Explain why the sky is blue.", "Write a short story about a lighthouse keeper."]
THREADS = int(os.environ.get("THREADS", "2"))


def run_torch(model, tokens):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(THREADS)
    tokenizer = AutoTokenizer.from_pretrained(model)
    lm = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    class Clock:  # what generate calls a streamer
        def __init__(self):
            self.times = []

        def put(self, _):
            self.times.append(time.perf_counter())

        def end(self):
            pass

    def answer(question):
        start = time.perf_counter()
        inputs = tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt", return_dict=True)
        clock = Clock()
        with torch.inference_mode():
            lm.generate(**inputs, max_new_tokens=tokens, do_sample=False, streamer=clock)
        first, last, n = clock.times[1], clock.times[-1], len(clock.times) - 1  # the first call hands over the prompt
        return {"first_token_ms": 1e3 * (first - start), "tokens_per_s": (n - 1) / (last - first), "tokens": n}

    answer(QUESTIONS[0])
    print(json.dumps([answer(q) for q in QUESTIONS]))


def run_gotrain(gotrain, model, tokens):
    lines = "".join(q + "\n/reset\n" for q in QUESTIONS)
    command = [gotrain, "chat", "--model", model, "--greedy", "--json", "--max-tokens", str(tokens)]
    out = subprocess.run(command, input=lines, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return json.loads(out)["turns"]


def compare(gotrain, model, rounds, tokens):
    own, other = [], []
    for _ in range(rounds):
        own += run_gotrain(gotrain, model, tokens)
        text = subprocess.check_output([sys.executable, __file__, "torch", model, str(tokens)], text=True)
        other += json.loads(text.splitlines()[-1])
    print(f"SmolLM2-135M-Instruct, greedy, up to {tokens} tokens, float32, {THREADS} threads")
    rows = [[median(turn[key] for turn in side) for key in ("first_token_ms", "tokens_per_s")] for side in (own, other)]
    for name, (first, rate) in zip(("gotrain chat", "transformers"), rows):
        print(f"{name:14s} first token {first:6.0f} ms   {rate:6.1f} tokens/s")
    print(f"decoding {rows[0][1] / rows[1][1]:.2f}×, first token {rows[1][0] / rows[0][0]:.2f}×")


if __name__ == "__main__":
    if sys.argv[1] == "torch":
        run_torch(sys.argv[2], int(sys.argv[3]))
    else:
        compare(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
