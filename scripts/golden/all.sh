#!/usr/bin/env bash
# Writes the golden files that tests compare with, from PyTorch, transformers,
# tokenizers and tiktoken.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
python=$PWD/$python
into() { # FILE COMMAND…: what the command prints, whole or not at all
  local file=$1
  shift
  "$@" > "$file.tmp" 2> /dev/null || { rm -f "$file.tmp"; echo "golden: $file: $* failed" >&2; return 1; }
  mv "$file.tmp" "$file"
}
"$python" scripts/golden/ops.py
"$python" scripts/golden/models.py
"$python" scripts/golden/latent.py
"$python" scripts/golden/bert.py 2> /dev/null
"$python" scripts/golden/perceiver.py 2> /dev/null
"$python" scripts/golden/pairs.py 2> /dev/null
"$python" scripts/golden/bleu.py
"$python" scripts/golden/rouge.py
"$python" scripts/golden/ppo.py
"$python" scripts/golden/configs.py
"$python" scripts/golden/rope.py 2> /dev/null
"$python" scripts/golden/exports.py 2> /dev/null
"$python" scripts/golden/lora.py
"$python" scripts/golden/distill.py
"$python" scripts/golden/tokenizer.py
"$python" scripts/golden/wordpiece.py
"$python" scripts/golden/t5.py
"$python" scripts/golden/published.py "$(go list -m -f '{{.Dir}}' github.com/pkoukk/tiktoken-go-loader)/assets" data/tokenizers/testdata/published.json
"$python" scripts/golden/chat.py
"$python" scripts/golden/prompts.py
"$python" scripts/parity/templates.py golden data/chat/jinja/testdata/golden.json
into data/hf/testdata/steps.json "$python" scripts/golden/steps.py
into data/onig/testdata/golden.json "$python" scripts/parity/onig.py golden
"$python" scripts/parity/generated.py golden data/tokenizers/testdata/generated.json.gz 2> /dev/null
"$python" scripts/golden/added.py
"$python" scripts/parity/conversations.py golden data/instruct/testdata/conversations.json.gz 2> /dev/null
into data/spm/testdata/unused.json "$python" scripts/golden/unused.py
into data/chat/jinja/testdata/characters.json "$python" scripts/golden/characters.py
into data/onig/property_table.go "$python" data/onig/testdata/gen_property.py
renderer=$(mktemp -d)/templates
CGO_ENABLED=0 go build -o "$renderer" ./scripts/parity/templates
into data/chat/jinja/testdata/combinations.json "$python" scripts/golden/combinations.py "$renderer"
into data/chat/jinja/unicode_tables.go "$python" scripts/golden/unicode.py && gofmt -w data/chat/jinja/unicode_tables.go
(cd autograd/cpu/vec/testdata && "$python" golden.py)
(cd data/hf/testdata && into ../unicode_table.go "$python" gen_unicode.py && gofmt -w ../unicode_table.go)
(cd data/bpe/testdata && "$python" gen_golden.py && into ../class_table.go "$python" gen_classes.py)
