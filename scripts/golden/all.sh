#!/usr/bin/env bash
# Writes the golden files that tests compare with, from PyTorch, transformers,
# tokenizers and tiktoken.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
python=$PWD/$python
"$python" scripts/golden/ops.py
"$python" scripts/golden/models.py
"$python" scripts/golden/lora.py
"$python" scripts/golden/tokenizer.py
"$python" scripts/golden/chat.py
"$python" scripts/parity/templates.py golden data/chat/jinja/testdata/golden.json
"$python" scripts/parity/onig.py golden 2> /dev/null > data/onig/testdata/golden.json
"$python" scripts/parity/generated.py golden data/tokenizers/testdata/generated.json.gz 2> /dev/null
"$python" data/onig/testdata/gen_property.py > data/onig/property_table.go
"$python" scripts/golden/unicode.py > data/chat/jinja/unicode_tables.go && gofmt -w data/chat/jinja/unicode_tables.go
(cd autograd/cpu/vec/testdata && "$python" golden.py)
(cd data/hf/testdata && "$python" gen_unicode.py > ../unicode_table.go && gofmt -w ../unicode_table.go)
(cd data/bpe/testdata && "$python" gen_golden.py && "$python" gen_classes.py > ../class_table.go)
