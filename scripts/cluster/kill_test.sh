#!/usr/bin/env bash
# Kills a rank of two with SIGKILL at random moments, starts both again until the run is done, and compares weights,
# optimizer state and losses with those of an undisturbed run of two ranks.
# usage: scripts/cluster/kill_test.sh [kills, default 10]
set -euo pipefail
cd "$(dirname "$0")/../.."
kills=${1:-10}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=1 go build -tags gloo -o "$tmp/gotrain" ./cmd/gotrain
steps=60
flags=(pretrain --config configs/opticks.yaml --set train.steps=$steps --set train.save_every=2 --set train.eval_every=20
  --set train.eval_batches=2 --set train.batch=4 --set train.context=64 --set train.sample_tokens=0
  --set model.width=64 --set model.layers=2 --set tokenizer.vocab=512)
port=$((20000 + RANDOM % 10000))

# start RUN starts both ranks: pids.
start() {
  port=$((port + 1))
  pids=()
  for rank in 0 1; do
    RANK=$rank WORLD_SIZE=2 LOCAL_RANK=$rank LOCAL_WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port \
      "$tmp/gotrain" "${flags[@]}" --run "$1" 2>"$tmp/log.$rank" &
    pids+=($!)
  done
}

# both_ended waits for both; it fails when one of them failed.
both_ended() {
  local bad=0
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || bad=1; done
  return $bad
}

bits() { cat "$1"/checkpoints/latest/*.safetensors | sha256sum; }
losses() { sed 's/"split":\("[a-z]*"\),"nll":\([^,]*\),.*/\1 \2/' "$1/metrics.jsonl"; }
fail() {
  echo "$*; the last logs:"
  tail -n 20 "$tmp"/log.*
  exit 1
}

start "$tmp/whole"
both_ended || fail "the undisturbed run failed"
[ "$(grep -c '"split":"train"' "$tmp/whole/metrics.jsonl")" = $steps ] || fail "the undisturbed run lacks steps"
killed=0 runs=0
while [ "$killed" -lt "$kills" ]; do
  run="$tmp/run-$runs" failures=0
  while :; do
    start "$run"
    if [ "$killed" -lt "$kills" ]; then
      sleep "$(printf '0.%03d' $((RANDOM % 1000)))"
      if kill -KILL "${pids[RANDOM % 2]}" 2>/dev/null; then killed=$((killed + 1)); fi
    else
      failures=$((failures + 1))
      [ $failures -lt 3 ] || fail "run $runs fails without being killed"
    fi
    if both_ended; then break; fi
  done
  [ "$(bits "$run")" = "$(bits "$tmp/whole")" ] || fail "run $runs has other weights after $killed kills"
  diff <(losses "$tmp/whole") <(losses "$run") || fail "run $runs has other losses after $killed kills"
  rm -rf "$run"
  runs=$((runs + 1))
done
echo "$killed kills of a rank over $runs runs: same bits, same losses, every step once in metrics.jsonl"
