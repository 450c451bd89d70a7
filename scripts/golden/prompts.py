"""Write data/tokenizers/testdata/prompts.json: what AutoTokenizer of transformers makes of prompts, with the files that may stand beside a tokenizer.json.

    python scripts/golden/prompts.py

For each case: the files, the roles of tokens, the ids of texts, and the ids of prompts with completions as
lm-evaluation-harness has them (add_bos_token left to the tokenizer, no second BOS).
"""

import json
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer

LINES = ["the cat sat on the mat", "The Rays of Light differ in colour", "of light and of dark, of mats"] * 4
TEXTS = ["the cat", "", " the  cat", "<s>the cat</s>", "the <s> the cat<x> [PAD] mat", "é<|fin|>", "of light the"]
PAIRS = [("", "the cat"), ("the", " cat"), ("the ", "cat"), ("of lig", "ht"), ("<s>the", " cat"), ("", "<s>the cat"), (" ", "the"), ("the\n", "mat")]


def byte_level(frame):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=280, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.decoder = decoders.ByteLevel()
    if frame:
        t.post_processor = processors.TemplateProcessing(single=frame, pair="$A $B", special_tokens=[("<s>", 0), ("</s>", 1)])
    return t


def llama():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=330, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)], show_progress=False))
    document = json.loads(t.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    t = Tokenizer.from_str(json.dumps(document))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True, **flags}


def typed(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


PAIR = {"0": token("<s>"), "1": token("</s>")}
CONFIGS = {
    "roles": {},
    "no roles": {"bos_token": None, "eos_token": None},
    "add_bos_token": {"add_bos_token": False, "add_eos_token": True},
    "flags of the decoder": {"added_tokens_decoder": {"0": token("<s>", lstrip=True), "1": token("</s>", rstrip=True)}},
    "new token": {"added_tokens_decoder": {**PAIR, "999": token("<x>")}},
    "new plain token": {"added_tokens_decoder": {**PAIR, "999": token("<x>", special=False, normalized=True)}},
    "token of the vocabulary": {"added_tokens_decoder": {**PAIR, "9": token("at", special=False)}},
    "role of the vocabulary": {"pad_token": "at"},
    "typed role": {"eos_token": typed("</s>", lstrip=True)},
    "extra of the vocabulary": {"additional_special_tokens": ["at", "</s>"]},
    "named extra": {"extra_special_tokens": {"image_token": "at"}},
    "own role": {"image_token": "at"},
}


def case(name, t, config, files=None):
    with tempfile.TemporaryDirectory() as folder:
        t.save(folder + "/tokenizer.json")
        config = {"tokenizer_class": "TokenizersBackend", "bos_token": "<s>", "eos_token": "</s>", **config}
        beside = {"tokenizer_config.json": config, **(files or {})}
        for file, content in beside.items():
            (Path(folder) / file).write_text(json.dumps(content))
        k = AutoTokenizer.from_pretrained(folder)
    bos = k.bos_token

    def pair(prompt, completion):
        starts = lambda s: s.startswith("<s>")  # noqa: E731  lm-evaluation-harness looks for bos_token, which may be another
        if not prompt:
            first = k.bos_token_id if bos else k.eos_token_id
            rest = k(completion, add_special_tokens=False).input_ids
            return [[first], rest[1:] if starts(completion) else rest]
        spaces = len(prompt) - len(prompt.rstrip())
        if spaces:
            prompt, completion = prompt[:-spaces], prompt[-spaces:] + completion
        add = {} if not starts(prompt) else {"add_special_tokens": False}
        before, whole = k(prompt, **add).input_ids, k(prompt + completion, **add).input_ids
        return [before, whole[len(before):]] if prompt and whole[:len(before)] == before else None

    return {"name": name, "tokenizer": json.loads(t.to_str()), "files": beside, "roles": {a: str(v) for a, v in k.special_tokens_map.items()},
            "texts": [[s, k(s).input_ids] for s in TEXTS],
            "pairs": [[p, c, got] for p, c in PAIRS if (k.bos_token_id is not None or k.eos_token_id is not None or p) and (got := pair(p, c))]}


def main():
    framed = byte_level("<s> $A")
    cases = [case(name, framed, config) for name, config in CONFIGS.items()]
    cases.append(case("special_tokens_map.json", framed, {}, {"special_tokens_map.json": {"eos_token": token("<s>"), "pad_token": "</s>"}}))
    cases.append(case("added_tokens.json", framed, {}, {"added_tokens.json": {"<x>": 999, "</s>": 1}}))
    cases.append(case("byte-level without a frame", byte_level(None), {}))
    cases.append(case("Llama", llama(), {"unk_token": "<unk>"}))
    for c in cases[1:14]:
        c["tokenizer"] = None  # that of the first
    Path("data/tokenizers/testdata/prompts.json").write_text(json.dumps(cases, ensure_ascii=False, indent=None) + "\n")


main()
