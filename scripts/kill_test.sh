#!/usr/bin/env bash
# Kills a real run with SIGKILL at random moments, resumes it until it is done,
# and compares its weights and optimizer state with those of an undisturbed run.
# Every other life saves beside its steps.
# usage: scripts/kill_test.sh [kills, default 200]
set -euo pipefail
cd "$(dirname "$0")/.."
kills=${1:-200}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
flags=(pretrain --config configs/opticks.yaml --set train.steps=60 --set train.save_every=2 --set train.eval_every=20
  --set train.eval_batches=2 --set train.batch=4 --set model.width=64 --set train.sample_tokens=4)
modes=(async sync)
train() { "$tmp/gotrain" "${flags[@]}" --run "$1" 2>"$tmp/log"; }
bits() { cat "$1"/checkpoints/latest/{model,optimizer}.safetensors | sha256sum; }
train "$tmp/whole"
want=$(bits "$tmp/whole")
killed=0 runs=0
RANDOM=7
while [ "$killed" -lt "$kills" ]; do
  run="$tmp/run-$runs"
  while :; do
    "$tmp/gotrain" "${flags[@]}" --set train.save="${modes[killed % 2]}" --run "$run" 2>"$tmp/log" & # not the function: kill must reach gotrain itself
    pid=$!
    sleep "$(printf '0.%03d' $((RANDOM % 1000)))"
    if kill -KILL $pid 2>/dev/null; then killed=$((killed + 1)); fi
    if wait $pid 2>/dev/null; then break; fi
    if [ "$killed" -ge "$kills" ]; then train "$run"; break; fi
  done
  if [ "$(bits "$run")" != "$want" ]; then
    echo "run $runs differs from the undisturbed one after $killed kills; its last log:"
    tail -n 20 "$tmp/log"
    exit 1
  fi
  if [ "$(grep -c '"split":"train"' "$run/metrics.jsonl")" != 60 ]; then echo "run $runs: metrics.jsonl lost or repeated steps"; exit 1; fi
  rm -rf "$run"
  runs=$((runs + 1))
done
echo "$killed kills over $runs runs: same bits, every step once in metrics.jsonl"
