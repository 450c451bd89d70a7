#!/usr/bin/env bash
# Prints the training speed of a recurrent language model beside PyTorch's: two layers of 512 units, 4096 tokens in the
# vocabulary, 16 sequences of 128; forward, backward and AdamW without clipping. See lstm.py.
# usage: scripts/bench/lstm.sh [rounds, default 3] [seconds a measurement, default 10] [lstm|gru, default lstm]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" scripts/bench/lstm.py "$tmp/gotrain" "${1:-3}" "${2:-10}" "${3:-lstm}"
