#!/usr/bin/env bash
# Prints the speed and memory of GRPO on SmolLM2-135M-Instruct beside TRL's, generation included, measured in turn on this
# machine with nothing else running. Fetches SmolLM2 (98 MB) unless its GGUF file is named, and TRL into build/trl.
# usage: scripts/bench/grpo.sh [steps, default 6] [prompts a step, default 4] [samples a prompt, default 8] [GGUF file]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/trl.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/smollm2.sh "${4:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
PYTHONPATH=build/trl "$python" -c 'import torch, transformers, trl; print("torch", torch.__version__, "transformers", transformers.__version__, "trl", trl.__version__)' 2> /dev/null
"$tmp/gotrain" version
"$tmp/gotrain" import "$file" "$tmp/model" > /dev/null
"$tmp/gotrain" data preferences --count $(((${1:-6} + 1) * ${2:-4})) --out "$tmp/pairs.jsonl"
PYTHONPATH=build/trl "$python" scripts/bench/grpo.py compare "$tmp" "${1:-6}" "${2:-4}" "${3:-8}"
