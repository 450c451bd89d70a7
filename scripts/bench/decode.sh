#!/usr/bin/env bash
# Prints how fast SmolLM2-135M-Instruct reads a prompt of 512 tokens and goes on for 128, and the memory of it, beside
# llama.cpp on the same GGUF file, which gotrain imports, measured in turn on this machine with nothing else running. Fetches the model (98 MB)
# unless its GGUF file is named, and llama.cpp into build/llama.
# usage: scripts/bench/decode.sh [rounds, default 3] [file.gguf]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
scripts/require.sh pip
[[ -d build/llama/xllamacpp ]] || python3 -m pip install --quiet --disable-pip-version-check --no-deps --target build/llama xllamacpp==2026.10.11549
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/smollm2.sh "${2:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$tmp/gotrain" version
"$tmp/gotrain" import "$file" "$tmp/model" > /dev/null
for type in f32 bf16 q8_0 q4_k; do
  "$tmp/gotrain" export "$tmp/model" "$tmp/$type.gguf" --format gguf --type $type > /dev/null
  "$tmp/gotrain" import "$tmp/$type.gguf" "$tmp/$type" > /dev/null
done
PYTHONPATH=build/llama python3 scripts/bench/decode.py compare "$tmp" "${1:-3}"
