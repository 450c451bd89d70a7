#!/usr/bin/env bash
# Compares the speed of RANKS processes of one thread with that of one process of RANKS threads at the same global batch:
# tokens/s of the median step, the two sides in turn.
# usage: [CONFIG=configs/go-source-12m.yaml] [RANKS=2] scripts/cluster/bench_ranks.sh [rounds, default 3] [steps, default 12] [flags of pretrain...]
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-3} steps=${2:-12}
shift $(($# < 2 ? $# : 2))
ranks=${RANKS:-2} config=${CONFIG:-configs/go-source-12m.yaml}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=1 go build -tags gloo -o "$tmp/gotrain" ./cmd/gotrain
flags=(pretrain --config "$config" --set train.steps="$steps" --set train.eval_batches=1 --set train.sample_tokens=0 "$@")
port=$((20000 + RANDOM % 10000))

# train RUN SIZE trains as SIZE processes, which share the threads.
train() {
  local pids=() rank
  port=$((port + 1))
  for ((rank = 0; rank < $2; rank++)); do
    RANK=$rank WORLD_SIZE=$2 LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port GOMAXPROCS=$ranks \
      "$tmp/gotrain" "${flags[@]}" --run "$1" 2>"$tmp/log.$rank" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || { tail -n 20 "$tmp"/log.*; exit 1; }; done
}

# speed RUN prints tokens/s of the median step, the first left out.
speed() {
  sed -n 's/.*"split":"train".*"tokens_per_s":\([0-9.]*\).*/\1/p' "$1/metrics.jsonl" | tail -n +2 | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for ((round = 1; round <= rounds; round++)); do
  for size in 1 "$ranks"; do
    train "$tmp/run" "$size"
    speed "$tmp/run" >>"$tmp/speeds.$size"
    rm -rf "$tmp/run"
  done
  echo "round $round: $(tail -n 1 "$tmp/speeds.1") tokens/s of one process with $ranks threads, $(tail -n 1 "$tmp/speeds.$ranks") of $ranks ranks"
done
paste "$tmp/speeds.1" "$tmp/speeds.$ranks" | awk '{ print $2 / $1 }' | sort -n | awk '{ v[NR] = $1 } END { printf "median ratio %.3f\n", v[int((NR + 1) / 2)] }'
