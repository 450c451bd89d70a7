#!/usr/bin/env bash
# Compares our tokenizers with Hugging Face's tokenizers and sentencepiece on fuzzed
# text; see parity_tokenizers.py.
# usage: scripts/parity_tokenizers.sh [strings a tokenizer [seed [shared data folder [file.gguf]]]]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/tokenize" ./scripts/tokenize
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
"$python" scripts/parity_tokenizers.py "$tmp" "${1:-5000}" "${2:-1}" "${3:-../shared/data}" "${@:4}"
