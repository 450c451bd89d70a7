#!/usr/bin/env bash
# Prints what low-rank adapters on Qwen2.5-Coder-0.5B-Instruct take with the base in each storage: the memory that plan
# forecasts beside the most resident at once, steps, losses. Needs 3 GB on the disk of the folder for temporary files.
# usage: scripts/bench/qlora.sh [steps, default 10] [file.gguf, else it is fetched] [storages, default all]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
. scripts/python/qwen.sh "${2:-}"
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
"$tmp/gotrain" import "$file" "$tmp/model" --verify=false
for storage in ${3:-nf4-double nf4 int8 bfloat16 float32}; do
  echo "== $storage"
  "$tmp/gotrain" finetune --config configs/finetune-qlora.yaml --base "$tmp/model" --run "$tmp/run" --resume none --set "lora.base=$storage" \
    --set "train.steps=${1:-10}" --set optimizer.warmup=1 --set train.sample= --set train.save_every=0 2>&1 | grep -E '^(step|memory|tokens/s)'
  rm -rf "$tmp/run"*
done
