"""Compare the tokens of conversations, and their loss masks, with transformers' apply_chat_template.

    scripts/parity/conversations.sh [conversations, default 200 [tokenizers, default 12 [seed [folder of texts]]]]
    python scripts/parity/conversations.py golden data/instruct/testdata/conversations.json.gz

Tokenizers of every kind, among them those for which a text cut at the borders of answers has other tokens (SentencePiece's
Prepend, Metaspace first), with templates of published models' forms, half of them with generation blocks. The ids must be
apply_chat_template's, the masks those of return_assistant_tokens_mask. Exits 1 if any differs.
"""

import collections
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from generated import Maker, compared as comparable, runs_away
from texts import corpus, texts
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

os.environ["TOKENIZERS_PARALLELISM"] = "false"
CHATML = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
TEMPLATES = {
    "chatml": CHATML,
    "inst": "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
    "vicuna": "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{{ ' ' + m.content + eos_token }}{% else %}{{ 'USER: ' + m.content + ' ASSISTANT:' }}{% endif %}{% endfor %}",
    "tight": "{% for m in messages %}{{ m.role + ':' + m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
    "zephyr": "{% for m in messages %}\n{{ '<|' + m.role + '|>\n' + m.content + eos_token }}\n{% endfor %}\n{% if add_generation_prompt %}\n{{ '<|assistant|>\n' }}{% endif %}",
    "gemma": "{{ bos_token }}{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else m.role %}{{ '<start_of_turn>' + role + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}",
    "marked chatml": CHATML.replace("{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}",
                                    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}"
                                    "{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\n' }}"),
    "marked inst": "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ ' ' + m.content + eos_token }}{% endgeneration %}{% else %}{{ '[INST] ' + m.content + ' [/INST]' }}{% endif %}{% endfor %}",
    "marked tight": "{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{{ eos_token }}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "marked words": "{% for m in messages %}{{ m.role }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
}


def conversation(rng, strings):
    messages = [{"role": "system", "content": rng.choice(strings)}] if rng.random() < 0.2 else []
    for _ in range(rng.randint(1, 3)):
        messages += [{"role": "user", "content": rng.choice(strings)}, {"role": "assistant", "content": rng.choice(strings)}]
    return messages


def spm(prepend, scheme):
    """A BPE in the manner of Llama's, with a Prepend or a Metaspace."""
    def make(maker):
        kind, document = "", {}
        while kind != "bpe" or not document["model"]["byte_fallback"] or document["model"]["end_of_word_suffix"]:
            made = maker.make()
            kind, document = made or ("", {})
        if prepend:
            document["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
            document["pre_tokenizer"] = None
        else:
            document["normalizer"] = None
            document["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
        return f"spm {'prepend' if prepend else scheme}", document
    return make


def tokenizer(make, seed, lines, rng, small=False):
    """A tokenizer.json of a kind, without a post_processor, which apply_chat_template does not use."""
    made = None
    while made is None:
        made = make(Maker(f"{seed} {rng.random()}", lines, small))
    kind, document = made
    document["post_processor"] = None
    return kind, document


def theirs(tokens, template, messages, masked):
    """Ids and mask of a conversation, None where tokenizers panics."""
    try:
        out = tokens.apply_chat_template(messages, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=masked)
    except BaseException as e:
        if type(e).__name__ != "PanicException":
            raise
        return None
    return out["input_ids"], [0] + out["assistant_masks"][1:] if masked else None  # the first token is no target


def masks(kind, document, template, messages):
    """Whether the template marks answers and tokenizers knows where each token stands."""
    return "{% generation %}" in template and "spans" in comparable(kind, document) and not any(runs_away(document, m["content"]) for m in messages)


def main(program, count, tokenizers, seed, folder):
    lines, rng = corpus(folder), random.Random(seed)
    strings = [t for t in texts(f"{seed} conversations", 4 * count, lines) if "<" not in t and "[INST]" not in t and t.strip()]
    conversations = [conversation(rng, strings) for _ in range(count)]
    makers = [spm(True, None), spm(False, "first"), spm(False, "always"), spm(False, "never")] + [Maker.make] * (tokenizers - 4)
    compared, bad, refused = 0, collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as tmp:
        for n, make in enumerate(makers):
            kind, document = tokenizer(make, f"{seed} {n}", lines, rng)
            file = Path(tmp) / "tokenizer.json"
            file.write_text(json.dumps(document))
            tokens = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_file(str(file)), bos_token="<s>", eos_token="</s>")
            for name, template in TEMPLATES.items():
                request = json.dumps({"tokenizer": str(file), "template": template, "bos": "<s>", "eos": "</s>", "conversations": conversations})
                done = subprocess.run([program], input=request, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                if done.returncode:
                    refused[done.stderr.strip()[-140:]] += 1
                    continue
                for messages, got in zip(conversations, json.loads(done.stdout)):
                    want = theirs(tokens, template, messages, "{% generation %}" in template)
                    if want is None:
                        continue
                    if got.get("error"):
                        refused[re.sub(r"\S*\x27.\x27|\x22[^\x22]*\x22", "X", got["error"])[:140]] += 1
                        continue
                    compared += 1
                    mask = [int(c) for c in got["counted"]] + [0] * (len(got["ids"]) - len(got["counted"]))
                    what = None
                    if want[0] != got["ids"]:
                        what = "ids"
                    elif masks(kind, document, template, messages) and mask != want[1]:
                        what = "masks"
                    if what:
                        bad[f"{kind} {name} {what}"] += 1
                        if sum(bad.values()) <= 5:
                            print(f"{kind}, {name}, {what}: {messages!r}\n  want {want[what == 'masks']!r}\n  got  {mask if what == 'masks' else got['ids']!r}")
    for error, n in refused.most_common(8):
        print(f"  {n} refused: {error}")
    print(f"{len(conversations)} conversations, {len(makers)} tokenizers, {len(TEMPLATES)} templates, seed {seed}: {compared} compared, {sum(refused.values())} refused, {dict(bad) or 0} differ")
    return 1 if bad else 0


def golden(file):
    """Small tokenizers of all kinds, and the ids and masks of a few conversations."""
    lines, rng, cases = corpus(""), random.Random("golden"), []
    strings = [t[:60] for t in texts("golden conversations", 40, lines) if "<" not in t and "[INST]" not in t and t.strip()]
    for make in [spm(True, None), spm(False, "first"), spm(False, "always")] + [Maker.make] * 5:
        kind, document = tokenizer(make, "golden", lines, rng, small=True)
        tokens = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(document)), bos_token="<s>", eos_token="</s>")
        results = []
        for name in ["chatml", "inst", "tight", "marked chatml", "marked inst", "marked tight"]:
            for _ in range(2):
                messages = conversation(rng, strings)
                want = theirs(tokens, TEMPLATES[name], messages, "{% generation %}" in TEMPLATES[name])
                if want:
                    mask = want[1] if masks(kind, document, TEMPLATES[name], messages) else None
                    results.append({"template": TEMPLATES[name], "messages": messages, "ids": want[0], "mask": mask})
        cases.append({"kind": kind, "tokenizer": document, "results": results})
    with gzip.GzipFile(file, "w", mtime=0) as f:
        f.write(json.dumps(cases).encode())


if sys.argv[1] == "golden":
    golden(sys.argv[2])
    sys.exit()
sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]))
