#!/usr/bin/env bash
# Prints speed and memory of DPO with low-rank adapters on SmolLM2-135M-Instruct beside TRL's, measured in turn on this
# machine with nothing else running. Fetches SmolLM2 (98 MB) unless its GGUF file is named, and TRL into build/trl.
# usage: scripts/bench/dpo.sh [steps, default 12] [pairs a step, default 8] [GGUF file]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/trl.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/smollm2.sh "${3:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
PYTHONPATH=build/trl "$python" -c 'import torch, transformers, trl; print("torch", torch.__version__, "transformers", transformers.__version__, "trl", trl.__version__)' 2> /dev/null
"$tmp/gotrain" version
"$tmp/gotrain" import "$file" "$tmp/model" > /dev/null
"$tmp/gotrain" data preferences --count $(((${1:-12} + 1) * ${2:-8})) --out "$tmp/pairs.jsonl"
PYTHONPATH=build/trl "$python" scripts/bench/dpo.py compare "$tmp" "${1:-12}" "${2:-8}"
