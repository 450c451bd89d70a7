#!/usr/bin/env bash
# How speed and memory grow: GFLOP/s of training steps (the model's own
# arithmetic) from context 128 to 2048 at 2048 tokens a step, and from 1M to
# 124M parameters, with the planned memory of activations. Flat is good.
# usage: scripts/bench/growth.sh [seconds a measurement, default 5]
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
row() { # label, then --set assignments
  local label=$1 set=()
  shift
  for s in model.family=gpt2 model.dropout=0 optimizer.kind=adamw "$@" optimizer.clip=0 optimizer.in_backward=true train.accumulate=1; do set+=(--set "$s"); done
  local bench arena
  bench=$("$tmp/gotrain" bench --config configs/opticks.yaml --seconds "${seconds}" --json "${set[@]}")
  arena=$("$tmp/gotrain" plan --config configs/opticks.yaml --json "${set[@]}" | grep -o '"arena_bytes": *[0-9]*' | grep -o '[0-9]*$')
  printf '| %s | %s | %s | %s | %d |\n' "$label" \
    "$(grep -o '"tokens_per_s": *[0-9.]*' <<<"$bench" | grep -o '[0-9.]*$' | xargs printf '%.0f')" \
    "$(grep -o '"gflops": *[0-9.]*' <<<"$bench" | tail -1 | grep -o '[0-9.]*$' | xargs printf '%.1f')" \
    "$(grep -o '"fraction_of_peak": *[0-9.]*' <<<"$bench" | tail -1 | grep -o '[0-9.]*$' | xargs printf '%.2f')" $((arena >> 20))
}
seconds=${1:-5}
echo '| model | tokens/s | GFLOP/s | of peak | activations MiB |'
echo '|---|---|---|---|---|'
for context in 128 256 512 1024 2048; do
  row "4 × 256, context $context" model.width=256 model.layers=4 model.heads=4 "model.context=$context" "train.batch=$((2048 / context))"
done
row '1.1M: 4 × 128' model.width=128 model.layers=4 model.heads=4 model.context=256 train.batch=8
row '4.4M: 4 × 256' model.width=256 model.layers=4 model.heads=4 model.context=256 train.batch=8
row '12M: 6 × 384' model.width=384 model.layers=6 model.heads=6 model.context=256 train.batch=8
row '30M: 8 × 512' model.width=512 model.layers=8 model.heads=8 model.context=256 train.batch=8 tokenizer.vocab=8192
row '124M: 12 × 768' model.width=768 model.layers=12 model.heads=12 model.context=256 train.batch=8 model.vocab=50257
