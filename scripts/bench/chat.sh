#!/usr/bin/env bash
# Prints the speed of answers of SmolLM2-135M-Instruct beside that of transformers,
# measured in turn on this machine with nothing else running.
# usage: scripts/bench/chat.sh [rounds, default 2] [tokens an answer, default 128] [file.gguf]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
. scripts/python/smollm2.sh "${3:-}"
"$tmp/gotrain" import "$file" "$tmp/model" >/dev/null
lscpu | grep -E 'Model name|^CPU\(s\)'
"$python" -c 'import torch, transformers; print("torch", torch.__version__, "transformers", transformers.__version__)'
"$tmp/gotrain" version
"$python" scripts/bench/chat.py compare "$tmp/gotrain" "$tmp/model" "${1:-2}" "${2:-128}"
