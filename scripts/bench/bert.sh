#!/usr/bin/env bash
# Prints the training speed of a BERT-mini beside PyTorch's: 4 layers of 256, 4 heads, 30522 tokens tied, 32 rows of 128 of
# which 20 places are predicted; forward, backward and AdamW without clipping, no dropout. See bert.py.
# usage: scripts/bench/bert.sh [rounds, default 3] [seconds a measurement, default 10]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" scripts/bench/bert.py "$tmp/gotrain" "${1:-3}" "${2:-10}"
