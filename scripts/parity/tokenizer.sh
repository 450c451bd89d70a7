#!/usr/bin/env bash
# Compares our tokenizers with Hugging Face's tokenizers and sentencepiece on fuzzed
# text; see tokenizer.py.
# usage: scripts/parity/tokenizer.sh [strings a tokenizer, default 5000 [seed [folder of texts [file.gguf]]]]
# The texts are lines of Go, and of the .txt, .tsv and .jsonl files in the folder, if one is named and not "".
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/tokenize" ./scripts/parity/tokenize
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
"$python" scripts/parity/tokenizer.py "$tmp" "${1:-5000}" "${2:-1}" "${3:-}" "${@:4}"
