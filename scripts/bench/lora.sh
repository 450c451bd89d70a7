#!/usr/bin/env bash
# Prints speed and memory of LoRA steps beside those of PyTorch with peft, measured
# in turn on this machine with nothing else running.
# usage: scripts/bench/lora.sh [rounds, default 2] [seconds a measurement, default 15] [tokens a sequence] [sequences]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" -c 'import peft, torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__, "peft", peft.__version__)'
"$tmp/gotrain" version
"$python" scripts/bench/lora.py compare "$tmp/gotrain" "${1:-2}" "${2:-15}" "${@:3}"
