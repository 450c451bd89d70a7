#!/usr/bin/env bash
# Prints speed and memory of training steps of an encoder and a decoder beside those of
# PyTorch, measured in turn on this machine with nothing else running.
# usage: scripts/bench/pairs.sh [rounds, default 2] [seconds a measurement, default 15]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" -c 'import torch; print("torch", torch.__version__)'
"$tmp/gotrain" version
"$python" scripts/bench/pairs.py compare "$tmp/gotrain" "${1:-2}" "${2:-15}"
