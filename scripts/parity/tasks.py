"""Compare eval --task with lm-evaluation-harness on a GPT-2 of chosen weights.

    scripts/parity/tasks.sh [python that has lm-eval]
    python scripts/parity/tasks.py golden train/eval/testdata/lm-eval.json

Questions are those of train/eval/testdata, asked as lm-eval's own task files say, and answers that are hard to read, found
by its filters of GSM8K. Log-likelihoods must agree to 1e-4, everything that is counted exactly. Exits 1 if any differs.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import lm_eval
import torch
import transformers
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters.extraction import RegexFilter
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

transformers.logging.set_verbosity_error()
torch.set_num_threads(2)
DATA = Path("train/eval/testdata").resolve()
OWN = Path(lm_eval.__file__).parent / "tasks"
# Our file, lm-eval's task file, which of our metrics is which of its.
TASKS = {
    "arc": ("arc.jsonl", "arc/arc_easy.yaml", {"acc": "acc", "acc_norm": "acc_norm"}),
    "hellaswag": ("hellaswag.jsonl", "hellaswag/hellaswag.yaml", {"acc": "acc", "acc_norm": "acc_norm"}),
    "lambada": ("lambada.jsonl", "lambada/lambada_openai.yaml", {"acc": "acc", "perplexity": "perplexity"}),
    "mc1": ("truthfulqa.jsonl", "truthfulqa/truthfulqa_mc1.yaml", {"mc1": "acc"}),
    "mc2": ("truthfulqa.jsonl", "truthfulqa/truthfulqa_mc2.yaml", {"mc2": "acc"}),
    "bigbench": ("bigbench.jsonl", "bigbench/multiple_choice_template_a_yaml", {"multiple_choice_grade": "acc"}),
    "mmlu": ("mmlu.jsonl", "mmlu/default/_default_template_yaml", {"acc": "acc"}),
    "gsm8k": ("gsm8k.jsonl", "gsm8k/gsm8k.yaml", {"exact_match,strict-match": "exact_match,strict-match", "exact_match,flexible-extract": "exact_match,flexible-extract"}),
}
ANSWERS = [(text, answer) for answer in ["It is 2.\n#### 1,200", "#### 5", "#### 7 or\n#### -3.50", "no number", "$4."] for text in [
    "", " ", "1200", "#### 1200", "####1200", "#### 1,200", "#### 1200.", "#### $1,200", "#### 5 no, #### 1200", "#### 1200, that is 5 times 240",
    "so 5 + 7 = 12", "-3.50", "#### -3.5", "#### -3.50", "- 3.50", "#### ,.", "#### .", "...", "$", "$$", "7.", "costs $4.", "4", "4 .", "#### 12.0", "١٢", "#### ١٢",
    "１２００", "no number", "No Number", "#### \n1200", "####  1200", "1 200", "1e3", "12 12", "12.12.12", "a1b2", "#### --5", "\u00a05\u00a0", "5\n", "the answer is 5\n\n", "Question: 5", "#### 1200#### 5",
]]


def byte_tokenizer(path):
    """Tokens are bytes, 256 ends a text."""
    chars = {0: "Ā"}
    letters = [*range(33, 127), *range(161, 173), *range(174, 256)]
    chars = {b: chr(b) for b in letters}
    for b in range(256):
        if b not in chars:
            chars[b] = chr(256 + len(chars) - len(letters))
    t = Tokenizer(models.BPE(vocab={chars[b]: b for b in range(256)}, merges=[]))
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    t.add_special_tokens(["<|endoftext|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=t, eos_token="<|endoftext|>", bos_token="<|endoftext|>")
    tokenizer.save_pretrained(path)


def make(path):
    """Weight i of the n-th parameter is x = 0.1·sin((i + 1)·(n + 1)), of norms 1 + x."""
    config = GPT2Config(vocab_size=257, n_positions=1024, n_embd=16, n_layer=2, n_head=2, bos_token_id=256, eos_token_id=256)
    model = GPT2LMHeadModel(config).eval()
    names = [n for n, _ in model.named_parameters()]
    with torch.no_grad():
        for n, p in model.named_parameters():
            x = torch.sin((torch.arange(p.numel(), dtype=torch.float64) + 1) * (names.index(n) + 1))
            x = 0.1 * x + (".ln_" in n and n.endswith("weight"))
            p.copy_(x.float().reshape(p.shape))
    model.save_pretrained(path)
    byte_tokenizer(path)
    return names


def ask(folder, path):
    """What lm-eval makes of each task: figures, and of each question the log-likelihoods."""
    for name, (file, task, _) in TASKS.items():
        text = f"include: {OWN / task}\ntask: own_{name}\ntag: []\ndataset_path: json\ndataset_name: null\nnum_fewshot: 0\n"
        text += f"dataset_kwargs: {{data_files: {{test: {DATA / file}}}}}\ntest_split: test\ntraining_split: null\nvalidation_split: null\nfewshot_split: null\n"
        if name == "mmlu":
            text += 'description: "The following are multiple choice questions (with answers) about small sums.\\n\\n"\n'
            text += 'doc_to_text: "{{question.strip()}}\\nA. {{choices[0]}}\\nB. {{choices[1]}}\\nAnswer:"\ndoc_to_choice: ["A", "B"]\n'
        if name == "gsm8k":
            text += "generation_kwargs: {until: ['Question:', '</s>', '<|im_end|>'], do_sample: false, max_gen_toks: 40}\n"
        (folder / f"own_{name}.yaml").write_text(text)
    model = HFLM(pretrained=str(path), device="cpu", dtype="float32", batch_size=4)
    out = lm_eval.simple_evaluate(model=model, tasks=[f"own_{n}" for n in TASKS], task_manager=TaskManager(include_path=str(folder)), log_samples=True, bootstrap_iters=0)
    result = {}
    for name, (file, _, metrics) in TASKS.items():
        figures = out["results"][f"own_{name}"]
        samples = sorted(out["samples"][f"own_{name}"], key=lambda s: s["doc_id"])
        logs = [] if name == "gsm8k" else [[r[0] for r in s["filtered_resps"]] for s in samples]
        if name == "lambada":
            logs = [[s["filtered_resps"][0][0]] for s in samples]
        result[name] = {"file": file, "metrics": {own: figures[m if "," in m else m + ",none"] for own, m in metrics.items()}, "log_likelihoods": logs}
    return result


def extract():
    """What lm-eval finds in answers, and whether it is right."""
    strict, flexible = RegexFilter(r"#### (\-?[0-9\.\,]+)"), RegexFilter("(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    rows = []
    for text, answer in ANSWERS:
        row = {"text": text, "expected": answer}
        for name, f in [("strict-match", strict), ("flexible-extract", flexible)]:
            found = list(f.apply([[text]], [{}]))[0][0]
            score = exact_match_fn(predictions=[found], references=[answer], ignore_case=True, ignore_punctuation=False, regexes_to_ignore=[",", "\\$", "(?s).*#### ", "\\.$"])
            row[name] = {"found": found != "[invalid]", "right": bool(score["exact_match"])}
        rows.append(row)
    return rows


def compare(program, path, want):
    wrong = 0
    for name, task in want.items():
        file = path.parent / "task.yaml"
        file.write_text(json.dumps({"data": str(DATA / task["file"])} | ({"format": "gsm8k", "max_tokens": 40} if name == "gsm8k" else {})))
        run = subprocess.run([program, "eval", "--model", path, "--task", file, "--json", "--device", "cpu"], stdout=subprocess.PIPE, check=True)
        got = json.loads(run.stdout)
        figures = {m["name"]: m["value"] for m in got["scores"][0]["metrics"]}
        for metric, value in task["metrics"].items():
            same = math.isclose(figures[metric], value, rel_tol=1e-4, abs_tol=1e-6)
            wrong += not same
            print(f"{name:10} {metric:30} {figures[metric]:10.6f} {value:10.6f}{'' if same else '  DIFFERS'}")
        if name.startswith("mc"):
            continue  # both sets of choices are asked at once
        worst = max((abs(a - b) for r, q in zip(got["results"], task["log_likelihoods"]) for a, b in zip(r["log_likelihoods"], q, strict=True)), default=0)
        wrong += worst > 1e-4
        print(f"{name:10} log-likelihoods differ by {worst:.1e} at most")
    return wrong


def main(program, *args):
    with tempfile.TemporaryDirectory() as tmp:
        tmp = Path(tmp)
        names = make(tmp / "model")
        (tmp / "tasks").mkdir()
        want = ask(tmp / "tasks", tmp / "model")
        if program == "golden":
            rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in extract())
            rest = json.dumps({"lm-eval": lm_eval.__version__, "parameters": names, "tasks": want})
            Path(args[0]).write_text(f'{rest[:-1]}, "answers": [\n{rows}\n]}}\n')
            return 0
        return compare(program, tmp / "model", want)


if __name__ == "__main__":
    sys.exit(1 if main(*sys.argv[1:]) else 0)
