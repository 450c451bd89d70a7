"""Spells words by g2p-en's own code and by gotrain's GRU with its weights, and counts the words whose phonemes differ.

    scripts/parity/g2p.sh [words]
"""

import importlib.util
import json
import pathlib
import random
import re
import subprocess
import sys
import types

import numpy as np
import torch
from safetensors.torch import save_file

folder, binary, text, count, tmp = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), pathlib.Path(sys.argv[5])


class Anything(types.ModuleType):
    """What g2p.py imports and its network does not need: taggers and dictionaries."""

    def __getattr__(self, name):
        return Anything(name)

    def __call__(self, *args, **kwargs):
        return Anything("result")


for name in ("nltk", "nltk.corpus", "nltk.tokenize", "g2p_en.expand"):
    sys.modules[name] = Anything(name)
package = types.ModuleType("g2p_en")
package.__path__ = [str(folder)]
sys.modules["g2p_en"] = package
spec = importlib.util.spec_from_file_location("g2p_en.g2p", folder / "g2p.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
theirs = module.G2p.__new__(module.G2p)
theirs.graphemes = ["<pad>", "<unk>", "</s>"] + list("abcdefghijklmnopqrstuvwxyz")
theirs.g2idx = {g: i for i, g in enumerate(theirs.graphemes)}
theirs.idx2p = {i: i for i in range(74)}
theirs.load_variables()

words = sorted(set(re.findall(r"[a-z]+", pathlib.Path(text).read_text(encoding="utf-8").lower())))
draw = random.Random(1)
draw.shuffle(words)
words = words[:count] + ["".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(draw.randint(1, 14))) for _ in range(count // 4)]
weights = np.load(folder / "checkpoint20.npz")
save_file({k: torch.from_numpy(weights[k]) for k in weights.files}, tmp / "g2p.safetensors")
ids = [[theirs.g2idx[c] for c in word] + [theirs.g2idx["</s>"]] for word in words]
out = subprocess.run([binary, "-weights", tmp / "g2p.safetensors"], input=json.dumps(ids).encode(), stdout=subprocess.PIPE, check=True).stdout
differ = [word for word, ours in zip(words, json.loads(out)) if ours != [int(p) for p in theirs.predict(word)]]
print(f"{len(words)} words, {len(differ)} with other phonemes: {' '.join(differ[:10])}")
sys.exit(bool(differ))
