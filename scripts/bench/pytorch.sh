#!/usr/bin/env bash
# Prints training and decoding speed beside PyTorch's, measured in turn on this
# machine with nothing else running. PyTorch's compiled mode needs a C++ compiler.
# usage: scripts/bench/pytorch.sh [rounds, default 2] [seconds a measurement, default 10] [train] [decode]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)'
"$tmp/gotrain" version
rounds=${1:-2} seconds=${2:-10}
shift $(($# < 2 ? $# : 2))
"$python" scripts/bench/compare.py "$tmp/gotrain" "$rounds" "$seconds" "$@"
