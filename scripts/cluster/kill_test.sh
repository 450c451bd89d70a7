#!/usr/bin/env bash
# Kills a rank with SIGKILL at random moments, starts all ranks again until the run is done, and compares weights, optimizer
# state and losses with those of an undisturbed run of as many ranks. Like a launcher, it ends the ranks that are left when
# they have not ended by themselves after 10 seconds: one that waits for the other at the start cannot know that it is dead.
# usage: [RANKS=2] scripts/cluster/kill_test.sh [kills, default 10] [flags of pretrain...]
# RANKS=1 needs no Gloo; it saves asynchronously and synchronously in turn.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/cluster/ranks.sh
kills=${1:-10}
set -- "${@:2}"
ranks=${RANKS:-2} modes=(auto)
if [ "$ranks" = 1 ]; then
  modes=(async sync)
  flags+=(--set train.context=128 --set model.layers=4 --set tokenizer.vocab=2048) # as many steps a second as of two ranks
  CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
else
  build
fi
start "$tmp/whole" "$ranks" "$@"
ended || fail "the undisturbed run failed"
reached "$tmp/whole" "$steps" || fail "the undisturbed run lacks steps"
killed=0 runs=0 left=0
while [ "$killed" -lt "$kills" ]; do
  run="$tmp/run-$runs" failures=0
  while :; do
    start "$run" "$ranks" --set train.save="${modes[killed % ${#modes[@]}]}" "$@"
    if [ "$killed" -lt "$kills" ]; then
      sleep "$(printf '0.%03d' $((RANDOM % 1000)))"
      if slay "${pids[RANDOM % ranks]}"; then killed=$((killed + 1)); fi
      for _ in {1..1000}; do
        [ -n "$(jobs -pr)" ] || break
        sleep 0.01
      done
      if kill -TERM "${pids[@]}" 2>/dev/null; then left=$((left + 1)); fi
    else
      failures=$((failures + 1))
      [ $failures -lt 3 ] || fail "run $runs fails without being killed"
    fi
    if ended; then break; fi
  done
  [ "$(bits "$run")" = "$(bits "$tmp/whole")" ] || fail "run $runs has other weights after $killed kills"
  diff <(losses "$tmp/whole") <(losses "$run") || fail "run $runs has other losses after $killed kills"
  rm -rf "$run"
  runs=$((runs + 1))
done
echo "$killed kills of $ranks ranks over $runs runs: same bits, same losses, every step once in metrics.jsonl; $left times a rank was left waiting"
