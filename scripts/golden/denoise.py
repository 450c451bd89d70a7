"""Writes data/denoise/testdata/golden.json: lengths and rows of transformers' data collator of T5's span corruption.

    python scripts/golden/denoise.py PATH/run_t5_mlm_flax.py

The file is examples/flax/language-modeling/run_t5_mlm_flax.py of transformers 4, which no package has. Its function of
lengths and its collator are run as they stand there; jax is not needed.
"""

import ast
import json
import pathlib
import sys
import types

import numpy as np

FIRST = 100  # id of the first token of a text
SENTINEL = 5000
END = 1


def functions(path):
    """compute_input_and_target_lengths and the methods of the collator."""
    body = ast.parse(pathlib.Path(path).read_text()).body
    lengths = next(n for n in body if isinstance(n, ast.FunctionDef) and n.name == "compute_input_and_target_lengths")
    collator = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == "FlaxDataCollatorForT5MLM")
    methods = [n for n in collator.body if isinstance(n, ast.FunctionDef) and n.name != "__call__"]
    jax = types.SimpleNamespace(ops=types.SimpleNamespace(segment_sum=lambda ones, ids: np.bincount(ids, ones).astype(int)))
    names = {"np": np, "jax": jax}
    exec(compile(ast.Module([lengths, *methods], []), str(path), "exec"), names)
    return names


def main():
    f = functions(sys.argv[1])
    lengths = []
    for rate in (0.1, 0.15, 0.25, 0.4):
        for span in (1.5, 3, 8):
            for inputs in (16, 17, 31, 32, 64, 100, 128, 511, 512, 1024):
                tokens, targets = f["compute_input_and_target_lengths"](inputs, rate, span)
                if targets == int(round(tokens * rate)) + 1:
                    continue  # without a span, where its collator refuses the row that it makes
                lengths.append([rate, span, inputs, int(tokens), int(targets)])
    np.random.seed(1)
    rows = []
    for rate, span, tokens in ((0.15, 3, 36), (0.15, 3, 20), (0.3, 2, 24), (0.1, 8, 30), (0.15, 3, 2), (0.15, 3, 3)):
        c = types.SimpleNamespace(noise_density=rate, mean_noise_span_length=span, tokenizer=types.SimpleNamespace(vocab_size=SENTINEL, eos_token_id=END))
        mask = f["random_spans_noise_mask"](c, tokens)[None]
        ids = np.arange(FIRST, FIRST + tokens)[None]
        side = lambda m: f["filter_input_ids"](c, ids, f["create_sentinel_ids"](c, m.astype(np.int8)))[0].tolist()
        rows.append({"rate": rate, "span": span, "mask": "".join("x" if m else "." for m in mask[0]), "source": side(mask), "target": side(~mask)})
    path = pathlib.Path(__file__).parent.parent.parent / "data" / "denoise" / "testdata" / "golden.json"
    path.write_text("{\"lengths\": [\n" + ",\n".join(map(json.dumps, lengths)) + "],\n\"rows\": [\n" + ",\n".join(map(json.dumps, rows)) + "]}\n")
    print(path, len(lengths), len(rows))


if __name__ == "__main__":
    main()
