"""Writes the golden values of data/chat/testdata: conversations rendered by
Hugging Face's transformers with the shipped templates and those of models.

    python scripts/golden/chat.py

golden.json lists {"template", "messages", "prompt", "vars", "text"}; "text" is null
where the template refuses the conversation. "spans" are the characters that
{% generation %} blocks have written, where a template has them.
Templates of published models are compared without keeping them: give their files
as arguments, and golden.json holds them too; do not commit that.
"""

import json
import pathlib
import sys

from transformers.utils.chat_template_utils import _normalize_chat_messages, render_jinja_template

FOLDER = pathlib.Path(__file__).parent.parent.parent / "data" / "chat"
BOS, EOS = "<s>", "</s>"

S = {"role": "system", "content": "You answer <briefly> & \"well\".\n"}
U = {"role": "user", "content": "  What is 2+2?\n\nSay it. "}
A = {"role": "assistant", "content": " Four: \u00e9\u4e16\U0001f642 "}
U2 = {"role": "user", "content": "{{ messages }} {% if %}'quotes' <|im_end|>"}
A2 = {"role": "assistant", "content": "multi\nline\n"}

CONVERSATIONS = [[U], [U, A], [S, U, A], [U, A, U2], [U, A, U2, A2], [S, U, A, U2, A2], [A], [U, U2], []]

# Messages with more keys than role and content, for the template that reads them.
TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells the <weather>.", "parameters": {
    "type": "object", "properties": {"days": {"type": "integer", "default": 3, "maximum": 1e3}}, "required": []}}}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": {"days": 2, "at": 1.0, "no": None}}},
                                                             {"type": "function", "function": {"name": "weather", "arguments": "{\"days\": 3}"}}]}
RESULT = {"role": "tool", "name": "weather", "content": "sun", "tool_call_id": "c1"}
THOUGHT = {"content": "Sun.", "role": "assistant", "thinking": "\nso\n", "weight": 1}
BESIDE = [([U, CALL, RESULT, THOUGHT], {"tools": [TOOL]}), ([U, {**A, "reasoning": "r", "x": [1, 2.5]}], {"enable_thinking": False}), ([{**U, "name": "Ann", "tool_calls": None}, A], {"tools": []})]


# Contents that are lists of parts, for the template that goes through them.
PARTS = lambda m, *texts: {**m, "content": [{"type": "text", "text": t} for t in texts]}  # noqa: E731
LISTS = [([PARTS(U, " one", "two ")], {}), ([PARTS(S, "s"), U, PARTS(A, "a", " b"), PARTS(U2, "", "c")], {}), ([PARTS(U), A], {})]


def templates():
    for folder in ("templates", "testdata"):
        for file in sorted((FOLDER / folder).glob("*.jinja")):
            yield file.stem, file.read_text()
    for file in map(pathlib.Path, sys.argv[1:]):
        yield file.stem, file.read_text()


def main():
    cases = []
    for name, source in templates():
        for messages, more in [(m, {}) for m in CONVERSATIONS] + (BESIDE if name == "tools" else LISTS if name == "parts" else []):
            for prompt in (False, True):
                case = {"template": name, "messages": messages, "prompt": prompt, "text": None}
                if more:
                    case["vars"] = more
                cases.append(case)
                try:
                    texts, spans = render_jinja_template(
                        [_normalize_chat_messages(messages)], chat_template=source, add_generation_prompt=prompt, bos_token=BOS, eos_token=EOS,
                        return_assistant_tokens_mask="{% generation %}" in source, **DATE, **more)
                except Exception:
                    continue
                case["text"] = texts[0]
                if spans and spans[0]:
                    case["spans"] = spans[0]
    out = FOLDER / "testdata" / "golden.json"
    out.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
    print(f"{out.name}: {len(cases)} cases, {out.stat().st_size} bytes")


# Llama's template would write today's date.
DATE = {"date_string": "26 Jul 2024"}

if __name__ == "__main__":
    main()
