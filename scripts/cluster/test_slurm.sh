#!/usr/bin/env bash
# Trains over 4 nodes of a real Slurm on this machine and breaks what can break: a rank is killed, once and until the job
# gives up, the time limit comes, a link goes down, a node is lost. Each scenario prints one line; the first that fails
# prints its logs.
# usage: scripts/cluster/test_slurm.sh (root; it says which packages are missing)
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/require.sh root slurm pgrep gloo
. scripts/cluster/ranks.sh
chmod 711 "$tmp"
cluster=$tmp/slurm$$
name=$(basename "$cluster")
run= job=

close() {
  status=$?
  if [ $status != 0 ] && [ -n "$run" ]; then
    echo "scenario $run, job $job, FAILED (exit status $status); its output and the logs of Slurm:"
    tail -n 60 "$tmp/log.$run" || true
    tail -n 15 "$cluster"/log/* || true
  fi
  scripts/cluster/slurm_down.sh "$cluster" || true
  rm -rf "$tmp"
  exit $status
}
trap close EXIT
trap 'exit 130' INT TERM

build
export GOTRAIN=$tmp/gotrain REQUEUES=3
steps=150
flags+=(--set train.steps=$steps --set train.save_every=10 --set train.eval_every=50 --set train.batch=8 --set train.keep=100)

fail() {
  echo "$run: $*"
  exit 1
}

all_idle() { [ "$("$cluster/in" ctl sinfo -h -o '%T %D')" = "idle 4" ]; }

# submit RUN SBATCH_OPTIONS... starts the training of $flags as job $job into $tmp/RUN.
submit() {
  run=$1
  rm -f "$tmp"/log.* # says reads them all
  shift
  await 90 "4 idle nodes" all_idle
  job=$("$cluster/in" ctl sbatch --parsable --output="$tmp/log.$run" "$@" scripts/cluster/gotrain.sbatch \
    "${flags[@]}" "${more[@]}" --run "$tmp/$run")
  job=${job%%;*}
}

state() { "$cluster/in" ctl scontrol --oneliner show job "$job" | sed 's/.*JobState=\([A-Z_]*\).*/\1/'; }
is_over() { [[ $(state) =~ ^(COMPLETED|FAILED|TIMEOUT|NODE_FAIL|CANCELLED)$ ]]; }
finish() { # the job ends well
  await 150 "end of the job" is_over
  [ "$(state)" = COMPLETED ] || fail "the job ended as $(state)"
}
at() { made "$tmp/$run"; } # the step that the run is at
reach() { await 60 "step $1" reached "$tmp/$run" "$1"; }

# ranks NODE... are the processes of gotrain on these nodes.
ranks() {
  local node pid
  for node in "$@"; do
    for pid in $(ip netns pids "$name-$node"); do
      [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != gotrain ] || echo "$pid"
    done
  done
}

last_loss() { losses "$tmp/$1" | grep train | tail -n 1 | cut -d' ' -f3; }
same_bits() {
  [ "$(bits "$tmp/$run")" = "$(bits "$tmp/undisturbed")" ] || fail "the weights differ from those of the undisturbed run"
  diff <(losses "$tmp/undisturbed") <(losses "$tmp/$run") || fail "the losses differ from those of the undisturbed run"
}
resumed() { sed -n 's/^resume  *from step \([0-9]*\).*/\1/p' "$tmp/log.$run" | tail -n 1; }

scripts/cluster/slurm_up.sh "$cluster" 4
more=()

began=$SECONDS
submit undisturbed --nodes=4
finish
[ "$(at)" = $steps ] || fail "$(at) steps in metrics.jsonl, want $steps"
echo "undisturbed: 4 ranks, $steps steps, loss $(last_loss undisturbed) ($((SECONDS - began)) s)"

began=$SECONDS
submit killed --nodes=4
reach 40
kill -KILL "$(ranks n3)"
step=$(at)
finish
says 'attempt 1' || fail "the job was not requeued"
same_bits
echo "rank killed: rank 2 killed at step $step, requeued, resumed on 4 from step $(resumed), same bits and losses ($((SECONDS - began)) s)"

began=$SECONDS
export REQUEUES=1
submit hopeless --nodes=2
reach 40
kill -KILL "$(ranks n1)"
await 60 "the second attempt" says 'attempt 1'
reach 80
kill -KILL "$(ranks n2)"
await 60 "end of the job" is_over
[ "$(state)" = FAILED ] || fail "the job ended as $(state)"
says 'exit status 137 after 1 requeues: the limit, REQUEUES=1, is reached' || fail "the job does not say why it ended"
if says 'attempt 2'; then fail "the job was requeued beyond its limit"; fi
export REQUEUES=3
echo "requeue limit: ranks killed in attempts 0 and 1, REQUEUES=1: the job ended as FAILED at step $(at) ($((SECONDS - began)) s)"

# Slurm looks at time limits every 30 s and sends its signal up to 30 s early, here 5 to 35 s after the start: the ranks are
# paused until then, however fast they are; before the signal it sends SIGCONT.
began=$SECONDS
submit limit --nodes=4 --time=2 --signal=USR1@85
reach 40
ranks n1 n2 n3 n4 | xargs kill -STOP
await 90 "USR1 before the time limit, exit status 75" says 'exit status 75: requeued'
finish
says 'attempt 1' || fail "the job was not requeued"
if says 'exit status 1:'; then fail "an attempt of the job failed"; fi
same_bits
echo "time limit: USR1, saved at step $(resumed), exit status 75, requeued, same bits and losses ($((SECONDS - began)) s)"

began=$SECONDS
more=(--set cluster.timeout_s=5)
export REQUEUES=0
submit link --nodes=4 --no-requeue
reach 40
ip -n "$name-n2" link set eth0 down
await 60 "the watchdog's report" says 'rank 1 on n2|rank 1 \(n2'
await 90 "end of the job" is_over
[[ $(state) =~ ^(FAILED|NODE_FAIL)$ ]] || fail "the job ended as $(state)"
ip -n "$name-n2" link set eth0 up
echo "link down: job ended as $(state) ($((SECONDS - began)) s); the watchdog: $(grep -m 1 -E 'rank 1 on n2|rank 1 \(n2' "$tmp/log.$run")"
more=()
export REQUEUES=3

began=$SECONDS
submit lost --nodes=3-4
reach 40
ip -n "$name-n4" link set eth0 down
for pid in $(ip netns pids "$name-n4"); do kill -KILL "$pid" 2>/dev/null || true; done
step=$(at)
finish
says 'attempt 1, 3 ranks' || fail "the job did not go on with 3 ranks"
[ "$(at)" = $steps ] || fail "$(at) steps in metrics.jsonl, want $steps"
difference=$(awk -v a="$(last_loss undisturbed)" -v b="$(last_loss lost)" 'BEGIN { d = a - b; print d < 0 ? -d : d }')
awk -v d="$difference" 'BEGIN { exit !(d <= 1e-3) }' || fail "the loss differs by $difference, more than 1e-3"
echo "node lost: n4 lost at step $step, requeued, resumed on 3 from step $(resumed), loss differs by $difference ($((SECONDS - began)) s)"
