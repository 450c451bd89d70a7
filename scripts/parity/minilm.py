"""minilm.py DIR: embeds texts by DIR/gotrain and by transformers with the model DIR/model, and prints
the largest difference of an element and the smallest cosine. The pooling is sentence-transformers': the mean
of the states, scaled to length 1."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = [
    "The rays of light are bent by the prism.", "A cat sits on the mat.", "Sunlight is refracted in glass", "x", "Ünïcödé Straße 東京 🙂", "I'd rather not: it's 3.14!",
    "[CLS] and [MASK] in a text", "word " * 400, "Mixed CASE and   spaces\tand\nlines", "unaffable hyper-parameters, re-tokenised",
] + [f"sentence number {i} of several, {'very ' * (i % 17)}long" for i in range(90)]


def main():
    dir = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as temp:
        file = pathlib.Path(temp) / "texts.jsonl"
        file.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))
        start = time.perf_counter()
        out = subprocess.run([dir / "gotrain", "embed", "--model", dir / "model", "--data", file, "--precision", "float32"], capture_output=True, text=True, check=True)
        ours_s = time.perf_counter() - start
    ours = torch.tensor([json.loads(line)["embedding"] for line in out.stdout.splitlines()])
    tokenizer, model = AutoTokenizer.from_pretrained(dir / "model"), AutoModel.from_pretrained(dir / "model").eval()
    limit = json.loads((dir / "model/sentence_bert_config.json").read_text())["max_seq_length"]
    start = time.perf_counter()
    rows = []
    with torch.no_grad():
        for i in range(0, len(TEXTS), 16):
            batch = tokenizer(TEXTS[i : i + 16], padding=True, truncation=True, max_length=limit, return_tensors="pt")
            states, mask = model(**batch).last_hidden_state, batch["attention_mask"][:, :, None]
            rows.append(torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)))
    theirs = torch.cat(rows)
    print(f"{len(TEXTS)} texts, {theirs.shape[1]} numbers each: largest difference {float((ours - theirs).abs().max()):.2e}, smallest cosine {float((ours * theirs).sum(1).min()):.7f}")
    print(f"gotrain {ours_s:.2f} s with its start, transformers {time.perf_counter() - start:.2f} s without")
    print(out.stderr.strip())
    if not torch.allclose(ours, theirs, atol=1e-5):
        sys.exit("the embeddings differ")


if __name__ == "__main__":
    main()
