#!/usr/bin/env bash
# Compares the speed of RANKS processes of one thread with that of one process of RANKS threads at the same global batch:
# tokens/s of the median step, the two sides in turn.
# usage: [CONFIG=configs/go-source-12m.yaml] [RANKS=2] scripts/bench/ranks.sh [rounds, default 3] [steps, default 12] [flags of pretrain...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/cluster/ranks.sh
rounds=${1:-3} steps=${2:-12}
shift $(($# < 2 ? $# : 2))
ranks=${RANKS:-2} config=${CONFIG:-configs/go-source-12m.yaml}
build
flags=(pretrain --config "$config" --set train.steps="$steps" --set train.eval_batches=1 --set train.sample_tokens=0 "$@")
export GOMAXPROCS=$ranks # which the ranks share

# speed RUN prints tokens/s of the median step, the first left out.
speed() {
  sed -n 's/.*"split":"train".*"tokens_per_s":\([0-9.]*\).*/\1/p' "$1/metrics.jsonl" | tail -n +2 | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

for ((round = 1; round <= rounds; round++)); do
  for size in 1 "$ranks"; do
    start "$tmp/run" "$size"
    ended || fail "$size ranks failed"
    speed "$tmp/run" >>"$tmp/speeds.$size"
    rm -rf "$tmp/run"
  done
  echo "round $round: $(tail -n 1 "$tmp/speeds.1") tokens/s of one process with $ranks threads, $(tail -n 1 "$tmp/speeds.$ranks") of $ranks ranks"
done
paste "$tmp/speeds.1" "$tmp/speeds.$ranks" | awk '{ print $2 / $1 }' | sort -n | awk '{ v[NR] = $1 } END { printf "median ratio %.3f\n", v[int((NR + 1) / 2)] }'
