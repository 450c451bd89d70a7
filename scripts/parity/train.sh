#!/usr/bin/env bash
# Compares training and checkpoints with PyTorch and transformers; see train.py.
# usage: scripts/parity/train.sh [steps]
set -euo pipefail
cd "$(dirname "$0")/../.."
steps=${1:-100}
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
common="model.context=128 model.dropout=0 optimizer.kind=adamw optimizer.lr=1e-3" # what train.py computes
go run ./scripts/parity/train -steps "$steps" -out "$tmp/gpt2.safetensors" -set "model.family=gpt2 $common"
go run ./scripts/parity/train -steps "$steps" -out "$tmp/llama.safetensors" -set "model.family=llama model.kv_heads=2 $common"
"$python" scripts/parity/train.py "$steps" "$tmp/gotrain" "$tmp/gpt2.safetensors" "$tmp/llama.safetensors"
