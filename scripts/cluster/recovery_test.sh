#!/usr/bin/env bash
# Kills a rank under torchrun with SIGKILL and measures how long training stands still: from the kill to the end of the
# next step. The run is far from its end, so that all ranks have to start again, meet and load.
# usage: [RANKS=2] [LIMIT=10] [FLAGS="--config ..."] scripts/cluster/recovery_test.sh [kills, default 3]
# LIMIT is in seconds; TORCHRUN the command, from Python's package torch (.venv/bin/torchrun, else torchrun). FLAGS replaces
# the run of seconds that is trained otherwise.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/cluster/ranks.sh
kills=${1:-3} run=$tmp/run
export TORCHRUN=${TORCHRUN:-$([ -x .venv/bin/torchrun ] && echo .venv/bin/torchrun || echo torchrun)} RANKS=${RANKS:-2}
if ! command -v "$TORCHRUN" >/dev/null; then
  echo "recovery_test.sh: there is no $TORCHRUN here, so nothing was measured: pip install torch, or name it with TORCHRUN" >&2
  exit 1
fi
scripts/require.sh pgrep
build
if [ -n "${FLAGS:-}" ]; then read -ra flags <<<"pretrain $FLAGS"; fi
GOTRAIN=$tmp/gotrain HEAD=127.0.0.1:$port setsid scripts/cluster/torchrun.sh "${flags[@]}" --set train.steps=1000000 \
  --set train.save_every=10 --set train.eval_every=0 --run "$run" 2>"$tmp/log.torchrun" &
launcher=$!
trap 'kill -TERM -- -$launcher 2>/dev/null || true; wait $launcher || true; rm -rf "$tmp"' EXIT

newest_step() { # its end, in seconds since 1970
  date -d "$(grep '"split":"train"' "$run/metrics.jsonl" | tail -n 1 | sed 's/.*"time":"\([^"]*\)".*/\1/')" +%s.%N
}
trained_since() { awk -v a="$1" -v b="$(newest_step)" 'BEGIN { exit !(b > a) }'; }
age() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }

worst=0
await 120 "30 steps under torchrun" reached "$run" 30
for ((kill = 1; kill <= kills; kill++)); do
  mapfile -t ranks < <(pgrep -P "$launcher" -f "$tmp/gotrain")
  [ ${#ranks[@]} = "$RANKS" ] || fail "torchrun has ${#ranks[@]} ranks, want $RANKS"
  now=$(date +%s.%N)
  kill -KILL "${ranks[RANDOM % RANKS]}"
  sleep 0.2 # what was under way when the rank died may still reach the metrics
  await 120 "a step after kill $kill" trained_since "$(date +%s.%N)"
  took=$(age "$now" "$(newest_step)")
  worst=$(awk -v a="$worst" -v b="$took" 'BEGIN { print (a > b) ? a : b }')
  echo "kill $kill: the next step ended $took s after SIGKILL to a rank"
  sleep 3
done
awk -v w="$worst" -v l="${LIMIT:-10}" 'BEGIN { exit !(w < l) }' || fail "recovery took $worst s, the limit is ${LIMIT:-10}"
echo "recovery under torchrun, $RANKS ranks: at most $worst s, the limit is ${LIMIT:-10}"
