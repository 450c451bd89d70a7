"""Both sides of scripts/bench/dpo.sh: DPO with LoRA (rank 16, all linear layers, β 0.1) on a model in FOLDER/model and the
pairs in FOLDER/pairs.jsonl, by `gotrain finetune` and by TRL's DPOTrainer with peft.

    dpo.py compare FOLDER STEPS PAIRS
    dpo.py trl FOLDER STEPS PAIRS PRECOMPUTE

The first prints a table: tokens of prompts and answers a second, without padding, by the median step, and the most
resident memory of a process. TRL runs as it is by default, with the adapter switched off for the reference in each step,
and with precompute_ref_log_probs, whose pass over the data is not counted, as gotrain's is not.
"""

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

THREADS = int(os.environ.get("THREADS", "2"))
CONTEXT = 512


def median(values):
    return sorted(values)[len(values) // 2]


def run_trl(folder, steps, pairs, precompute):
    import torch
    from datasets import load_dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    torch.set_num_threads(THREADS)
    records = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    chats = folder / "chats.jsonl"
    chats.write_text("\n".join(json.dumps({
        "prompt": [{"role": "user", "content": r["prompt"]}],
        **{key: [{"role": "assistant", "content": r[key]}] for key in ("chosen", "rejected")},
    }) for r in records))
    times, tokens = [], []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.at = time.perf_counter()

        def on_step_end(self, *_, **__):
            times.append(time.perf_counter() - self.at)

    class Counted(DPOTrainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            tokens.append(int(inputs["attention_mask"].sum()))
            return super().compute_loss(model, inputs, *args, **kwargs)

    trainer = Counted(
        model=AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32),
        args=DPOConfig(output_dir=str(folder / "trl"), max_steps=steps, per_device_train_batch_size=pairs, learning_rate=5e-5, beta=0.1, report_to=[],
                       use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no", logging_steps=1, disable_tqdm=True,
                       precompute_ref_log_probs=precompute, max_length=CONTEXT),
        train_dataset=load_dataset("json", data_files=str(chats), split="train"), processing_class=AutoTokenizer.from_pretrained(folder / "model"),
        peft_config=LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"), callbacks=[Clock()],
    )
    trainer.train()
    loss = next(e["loss"] for e in trainer.state.log_history if "loss" in e)
    print(json.dumps({"tokens_per_s": median([n / t for n, t in zip(tokens[1:], times[1:])]), "loss": float(loss),
                      "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def run_gotrain(folder, steps, pairs):
    config = folder / "dpo.yaml"
    rows = max(1, round(pairs * tokens_of_pair(folder) / CONTEXT))
    config.write_text(f"""
run: {{dir: {folder}/run, seed: 1}}
base: {folder}/model
lora: {{rank: 16, alpha: 32, targets: [all-linear]}}
data: {{train: [{folder}/pairs.jsonl], validation: 0, format: prefer, instruct: {{template: ""}}}}
recipe: {{kind: dpo, beta: 0.1}}
train: {{steps: {steps}, batch: {rows}, context: {CONTEXT}, document_mask: true, eval_every: 0, save_every: 0, sample: ""}}
optimizer: {{kind: adamw, lr: 5e-5}}
""")
    command = [folder / "gotrain", "finetune", "--config", config, "--resume", "none", "--set", f"threads={THREADS}", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"gotrain finetune failed: {out}")
    full = float(re.search(r"rows full to ([\d.]+)%", out)[1]) / 100
    lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    steps_made = [line for line in lines if line["split"] == "train"]
    return {"tokens_per_s": full * median([rows * CONTEXT / line["step_ms"] * 1000 for line in steps_made[1:] or steps_made]),
            "loss": steps_made[0]["loss"], "rss_mib": usage.ru_maxrss / 1024}


def tokens_of_pair(folder):
    """Tokens of both sequences of a pair, on average."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    records = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()[:50]]

    def length(prompt, answer):
        chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        return len(tokenizer(tokenizer.apply_chat_template(chat, tokenize=False), add_special_tokens=False).input_ids)

    return sum(length(r["prompt"], r["chosen"]) + length(r["prompt"], r["rejected"]) for r in records) / len(records)


def compare(folder, steps, pairs):
    print(f"{'':28} {'tokens/s':>10} {'MiB':>8} {'loss of step 1':>15}")
    results = {}
    for name, run in [("gotrain", lambda: run_gotrain(folder, steps, pairs))] + [
        (f"TRL{', reference precomputed' if precompute else ''}",
         lambda precompute=precompute: json.loads(subprocess.run([sys.executable, __file__, "trl", folder, str(steps), str(pairs), str(int(precompute))],
                                                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.splitlines()[-1]))
        for precompute in (False, True)
    ]:
        r = results[name] = run()
        print(f"{name:28} {r['tokens_per_s']:10.1f} {r['rss_mib']:8.0f} {r['loss']:15.6f}", flush=True)
    ours, theirs = results["gotrain"], results["TRL"]
    print(f"gotrain / TRL: {ours['tokens_per_s'] / theirs['tokens_per_s']:.2f}× tokens/s, {ours['rss_mib'] / theirs['rss_mib']:.2f}× memory")


folder, steps, pairs = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
if sys.argv[1] == "compare":
    compare(folder, steps, pairs)
else:
    run_trl(folder, steps, pairs, sys.argv[5] == "1")
