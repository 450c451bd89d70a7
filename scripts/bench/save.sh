#!/usr/bin/env bash
# What saving costs: time a step with a checkpoint every EVERY steps, written beside the steps (async) and with the steps
# waiting (sync), against no checkpoint at all, the three in turn. The end of a run, which saves in any case, is not counted.
# usage: [CONFIG=configs/go-source-12m.yaml] [EVERY=20] scripts/bench/save.sh [rounds, default 3] [saves a run, default 3] [flags of pretrain...]
#   scripts/bench/save.sh 5 2 --set train.batch=4      shorter steps, of which a save takes more
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-3} saves=${2:-3}
shift $(($# < 2 ? $# : 2))
config=${CONFIG:-configs/go-source-12m.yaml} every=${EVERY:-20}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
# Time is counted from half an interval before the first save to half of one after the last.
from=$((every / 2)) steps=$((every * saves + every / 2))
flags=(pretrain --config "$config" --set train.steps=$steps --set train.eval_every=0 --set train.eval_batches=1 --set train.sample_tokens=0 "$@")

# step_ms MODE trains and prints the mean time of a step in ms.
step_ms() {
  local save=(--set train.save="$1" --set train.save_every="$every")
  if [ "$1" = none ]; then save=(--set train.save_every=0); fi
  "$tmp/gotrain" "${flags[@]}" "${save[@]}" --run "$tmp/run" 2>"$tmp/log" || { tail -n 20 "$tmp/log" >&2; exit 1; }
  # RFC 3339 to seconds, of the steps that bound what is counted
  for step in $from $steps; do
    date -d "$(sed -n 's/^{"step":'$step',"split":"train".*"time":"\([^"]*\)".*/\1/p' "$tmp/run/metrics.jsonl")" +%s.%N
  done | awk -v n=$((steps - from)) 'NR == 1 { began = $1 } END { printf "%.1f\n", 1e3 * ($1 - began) / n }'
  rm -rf "$tmp/run"
}

for ((round = 1; round <= rounds; round++)); do
  for mode in none async sync; do step_ms $mode >>"$tmp/$mode"; done
  echo "round $round: $(tail -n 1 "$tmp/none") ms a step without saves, $(tail -n 1 "$tmp/async") async, $(tail -n 1 "$tmp/sync") sync"
done
for mode in async sync; do
  paste "$tmp/none" "$tmp/$mode" | awk '{ print 100 * ($2 / $1 - 1) }' | sort -n |
    awk -v mode=$mode -v every="$every" '{ v[NR] = $1 } END { printf "%s: %+.1f%% of a step'"'"'s time at a save every %d steps (median)\n", mode, v[int((NR + 1) / 2)], every }'
done
