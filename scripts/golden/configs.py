"""Writes nn/zoo/testdata/defaults.json: what transformers takes for the keys that a
config.json leaves out, by model_type.

    python scripts/golden/configs.py
"""

import json
import pathlib

from transformers import BartConfig, BertConfig, Gemma3TextConfig, GPT2Config, LlamaConfig, MarianConfig, MistralConfig, Qwen2Config, Qwen3Config

TYPES = [BartConfig, BertConfig, Gemma3TextConfig, GPT2Config, LlamaConfig, MarianConfig, MistralConfig, Qwen2Config, Qwen3Config]


def main():
    out = {kind.model_type: json.loads(kind().to_json_string(use_diff=False)) for kind in TYPES}
    for keys in out.values():
        del keys["transformers_version"]
    path = pathlib.Path("nn/zoo/testdata/defaults.json")
    path.write_text(json.dumps(out, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
