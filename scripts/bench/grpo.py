"""Both sides of scripts/bench/grpo.sh: GRPO of a whole model in FOLDER/model on the prompts of FOLDER/pairs.jsonl, by
`gotrain finetune` and by TRL's GRPOTrainer, with answers of NEW tokens at most, whose reward is their length.

    grpo.py compare FOLDER STEPS PROMPTS SAMPLES
    grpo.py trl FOLDER STEPS PROMPTS SAMPLES

The first prints a table: answers a second, written and learnt from, by the median step but the first, tokens of answers a
second, and the most resident memory of a process. Both draw from all tokens at temperature 1, without a divergence.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

THREADS = int(os.environ.get("THREADS", "2"))
NEW = int(os.environ.get("NEW", "64"))
CONTEXT = 192


def median(values):
    return sorted(values)[len(values) // 2]


def write_prompts(folder):
    file = folder / "prompts.jsonl"
    prompts = [json.loads(line)["prompt"] for line in (folder / "pairs.jsonl").read_text().splitlines()]
    file.write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
    return file


def run_trl(folder, steps, prompts, samples):
    import torch
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(THREADS)
    times, tokens = [], []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.at = time.perf_counter()

        def on_step_end(self, *_, **__):
            times.append(time.perf_counter() - self.at)

    def length(completions, completion_ids, **_):
        tokens.append(sum(len(ids) for ids in completion_ids))
        return [float(len(text)) for text in completions]

    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32), reward_funcs=length,
        args=GRPOConfig(output_dir=str(folder / "trl"), max_steps=steps, per_device_train_batch_size=prompts * samples, num_generations=samples,
                        max_completion_length=NEW, temperature=1.0, top_k=0, beta=0.0, loss_type="grpo", learning_rate=1e-6, report_to=[], use_cpu=True,
                        bf16=False, gradient_checkpointing=False, save_strategy="no", logging_steps=1, disable_tqdm=True),
        train_dataset=load_dataset("json", data_files=str(write_prompts(folder)), split="train"), processing_class=AutoTokenizer.from_pretrained(folder / "model"), callbacks=[Clock()],
    )
    trainer.train()
    times, tokens = times[1:] or times, tokens[1:] or tokens
    print(json.dumps({"answers_per_s": prompts * samples / median(times), "tokens_per_s": median([n / t for n, t in zip(tokens, times)]),
                      "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run_gotrain(folder, steps, prompts, samples):
    config = folder / "grpo.yaml"
    config.write_text(f"""
run: {{dir: {folder}/run, seed: 1}}
base: {folder}/model
data: {{train: [{write_prompts(folder)}], validation: 0, format: prompts}}
recipe: {{kind: grpo, samples: {samples}, max_tokens: {NEW}, at_once: {prompts * samples}, rewards: [{{kind: length, least: 80}}]}}
train: {{steps: {steps}, batch: {samples}, accumulate: {prompts}, context: {CONTEXT}, eval_every: 0, save_every: 0, sample: ""}}
optimizer: {{kind: adamw, lr: 1e-6, warmup: 0}}
""")
    command = [folder / "gotrain", "finetune", "--config", config, "--resume", "none", "--set", f"threads={THREADS}", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"gotrain finetune failed: {out}")
    lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    made = [line for line in lines if line["split"] == "train"]
    made = made[1:] or made
    rate = [prompts * samples / line["step_ms"] * 1000 for line in made]
    return {"answers_per_s": median(rate), "tokens_per_s": median([r * line["length"] for r, line in zip(rate, made)]), "rss_mib": usage.ru_maxrss / 1024}


def compare(folder, steps, prompts, samples):
    print(f"{'':10} {'answers/s':>10} {'tokens/s':>10} {'MiB':>8}")
    theirs = [sys.executable, __file__, "trl", folder, str(steps), str(prompts), str(samples)]
    results = {}
    for name, run in [
        ("gotrain", lambda: run_gotrain(folder, steps, prompts, samples)),
        ("TRL", lambda: json.loads(subprocess.run(theirs, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.splitlines()[-1])),
    ]:
        r = results[name] = run()
        print(f"{name:10} {r['answers_per_s']:10.2f} {r['tokens_per_s']:10.1f} {r['rss_mib']:8.0f}", flush=True)
    ours, trl = results["gotrain"], results["TRL"]
    print(f"gotrain / TRL: {ours['answers_per_s'] / trl['answers_per_s']:.2f}× answers/s, {ours['tokens_per_s'] / trl['tokens_per_s']:.2f}× tokens/s, "
          f"{ours['rss_mib'] / trl['rss_mib']:.2f}× memory")


folder, steps, prompts, samples = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
if sys.argv[1] == "compare":
    compare(folder, steps, prompts, samples)
else:
    run_trl(folder, steps, prompts, samples)
