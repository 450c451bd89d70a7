#!/usr/bin/env bash
# Trains over 4 nodes of a real Slurm on this machine and breaks what can break: a rank is killed, once and until the job
# gives up, the time limit comes, a link goes down, a node is lost. Each scenario prints one line; the first that fails
# prints its logs.
# usage: scripts/cluster/test_slurm.sh (root; packages: see slurm_up.sh, and libgloo-dev to build)
set -euo pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
chmod 711 "$tmp"
cluster=$tmp/slurm$$
name=$(basename "$cluster")
run= job=

close() {
  status=$?
  if [ $status != 0 ] && [ -n "$run" ]; then
    echo "scenario $run, job $job, FAILED (exit status $status); its output and the logs of Slurm:"
    tail -n 60 "$tmp/$run.out" || true
    tail -n 15 "$cluster"/log/* || true
  fi
  scripts/cluster/slurm_down.sh "$cluster" || true
  rm -rf "$tmp"
  exit $status
}
trap close EXIT
trap 'exit 130' INT TERM

CGO_ENABLED=1 go build -tags gloo -o "$tmp/gotrain" ./cmd/gotrain
export GOTRAIN=$tmp/gotrain REQUEUES=3
steps=150
flags=(pretrain --config configs/opticks.yaml --set train.steps=$steps --set train.save_every=10 --set train.eval_every=50
  --set train.eval_batches=2 --set train.batch=8 --set train.context=64 --set train.sample_tokens=0
  --set model.width=64 --set model.layers=2 --set tokenizer.vocab=512 --set train.keep=100)

fail() {
  echo "$run: $*"
  exit 1
}

# await SECONDS WHAT COMMAND... polls until COMMAND succeeds.
await() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || fail "waited in vain: $what"
    sleep 0.05
  done
}

all_idle() { [ "$("$cluster/in" ctl sinfo -h -o '%T %D')" = "idle 4" ]; }

# submit RUN SBATCH_OPTIONS... starts the training of $flags as job $job into $tmp/RUN.
submit() {
  run=$1
  shift
  await 30 "4 idle nodes" all_idle
  job=$("$cluster/in" ctl sbatch --parsable --output="$tmp/$run.out" "$@" scripts/cluster/gotrain.sbatch \
    "${flags[@]}" "${more[@]}" --run "$tmp/$run")
  job=${job%%;*}
}

state() { "$cluster/in" ctl scontrol --oneliner show job "$job" | sed 's/.*JobState=\([A-Z_]*\).*/\1/'; }
is_over() { [[ $(state) =~ ^(COMPLETED|FAILED|TIMEOUT|NODE_FAIL|CANCELLED)$ ]]; }
finish() { # the job ends well
  await 150 "end of the job" is_over
  [ "$(state)" = COMPLETED ] || fail "the job ended as $(state)"
}
made() { grep -c '"split":"train"' "$tmp/$run/metrics.jsonl" || true; }
reached() { [ "$(made)" -ge "$1" ]; }
reach() { await 60 "step $1" reached "$1"; }
says() { grep -qE -- "$1" "$tmp/$run.out"; }

# ranks NODE... are the processes of gotrain on these nodes.
ranks() {
  local node pid
  for node in "$@"; do
    for pid in $(ip netns pids "$name-$node"); do
      [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != gotrain ] || echo "$pid"
    done
  done
}

# bits is the content of the newest checkpoint; losses are step and loss of each line of the metrics.
bits() { cat "$tmp/$1"/checkpoints/latest/*.safetensors | sha256sum; }
losses() { sed 's/"split":\("[a-z]*"\),"nll":\([^,]*\),.*/\1 \2/' "$tmp/$1/metrics.jsonl"; }
last_loss() { grep '"split":"train"' "$tmp/$1/metrics.jsonl" | tail -n 1 | sed 's/.*"nll":\([^,]*\),.*/\1/'; }
same_bits() {
  [ "$(bits "$run")" = "$(bits undisturbed)" ] || fail "the weights differ from those of the undisturbed run"
  diff <(losses undisturbed) <(losses "$run") || fail "the losses differ from those of the undisturbed run"
}
resumed() { sed -n 's/^resume  *from step \([0-9]*\).*/\1/p' "$tmp/$run.out" | tail -n 1; }

scripts/cluster/slurm_up.sh "$cluster" 4
more=()

began=$SECONDS
submit undisturbed --nodes=4
finish
[ "$(made)" = $steps ] || fail "$(made) steps in metrics.jsonl, want $steps"
echo "undisturbed: 4 ranks, $steps steps, loss $(last_loss undisturbed) ($((SECONDS - began)) s)"

began=$SECONDS
submit killed --nodes=4
reach 40
kill -KILL "$(ranks n3)"
at=$(made)
finish
says 'life 1' || fail "the job was not requeued"
same_bits
echo "rank killed: rank 2 killed at step $at, requeued, resumed on 4 from step $(resumed), same bits and losses ($((SECONDS - began)) s)"

began=$SECONDS
export REQUEUES=1
submit hopeless --nodes=2
reach 40
kill -KILL "$(ranks n1)"
await 60 "the second life" says 'life 1'
reach 80
kill -KILL "$(ranks n2)"
await 60 "end of the job" is_over
[ "$(state)" = FAILED ] || fail "the job ended as $(state)"
says 'exit status 137 after 1 requeues: the limit, REQUEUES=1, is reached' || fail "the job does not say why it ended"
if says 'life 2'; then fail "the job was requeued beyond its limit"; fi
export REQUEUES=3
echo "requeue limit: ranks killed in lives 0 and 1, REQUEUES=1: the job ended as FAILED at step $(made) ($((SECONDS - began)) s)"

# Slurm looks at time limits every 30 s: the ranks are paused until it does, however fast they are; before its signal it
# sends SIGCONT.
began=$SECONDS
submit limit --nodes=4 --time=1 --signal=USR1@55
reach 40
ranks n1 n2 n3 n4 | xargs kill -STOP
await 60 "USR1 before the time limit, exit status 75" says 'exit status 75: requeued'
finish
says 'life 1' || fail "the job was not requeued"
if says 'exit status 1:'; then fail "a life of the job failed"; fi
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
echo "link down: job ended as $(state) ($((SECONDS - began)) s); the watchdog: $(grep -m 1 -E 'rank 1 on n2|rank 1 \(n2' "$tmp/$run.out")"
more=()
export REQUEUES=3

began=$SECONDS
submit lost --nodes=3-4
reach 40
ip -n "$name-n4" link set eth0 down
for pid in $(ip netns pids "$name-n4"); do kill -KILL "$pid" 2>/dev/null || true; done
at=$(made)
finish
says 'life 1, 3 ranks' || fail "the job did not go on with 3 ranks"
[ "$(made)" = $steps ] || fail "$(made) steps in metrics.jsonl, want $steps"
difference=$(awk -v a="$(last_loss undisturbed)" -v b="$(last_loss lost)" 'BEGIN { d = a - b; print d < 0 ? -d : d }')
awk -v d="$difference" 'BEGIN { exit !(d <= 1e-3) }' || fail "the loss differs by $difference, more than 1e-3"
echo "node lost: n4 lost at step $at, requeued, resumed on 3 from step $(resumed), loss differs by $difference ($((SECONDS - began)) s)"
