#!/usr/bin/env bash
# Compares recurrent language models with torch.nn.LSTM and torch.nn.GRU; see lstm.py.
# usage: scripts/parity/lstm.sh [steps, default 30]
set -euo pipefail
cd "$(dirname "$0")/../.."
steps=${1:-30}
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/train" ./scripts/parity/train
common="model.layers=2 model.width=64 model.dropout=0 model.context=64 train.batch=8 optimizer.kind=adamw optimizer.lr=3e-3" # what lstm.py computes
train() {
  name=$1
  shift
  "$tmp/train" -config configs/lstm.yaml -steps "$steps" -out "$tmp/$name.safetensors" -set "$common $*"
}
train lstm
train projection model.projection=24 model.embedding=40 model.tied=false
train without-bias model.bias=false
train gru model.kind=gru
"$python" scripts/parity/lstm.py "$tmp/gotrain" "$tmp"/{lstm,projection,without-bias,gru}.safetensors
