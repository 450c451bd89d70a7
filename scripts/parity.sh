#!/usr/bin/env bash
# Compares training and checkpoints with PyTorch and transformers; see parity.py.
# usage: scripts/parity.sh [steps]
set -euo pipefail
cd "$(dirname "$0")/.."
steps=${1:-100}
. scripts/python.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
go run ./scripts/parity -steps "$steps" -out "$tmp/gpt2.safetensors"
go run ./scripts/parity -steps "$steps" -out "$tmp/llama.safetensors" \
  -set "model.family=llama model.kv_heads=2"
"$python" scripts/parity.py "$steps" "$tmp/gotrain" "$tmp/gpt2.safetensors" "$tmp/llama.safetensors"
