#!/usr/bin/env bash
# Breaks runs of several ranks on this machine, one scenario after the other; each prints one line.
# usage: scripts/cluster/fault_test.sh [SCENARIO...] [-- flags of pretrain...]
#   worlds  stopped, killed and stopped again on 4, 3 and 1 ranks, ended on 4: the losses are those of 4 ranks
#   stall   a rank under SIGSTOP, over Gloo and MPI: the others say which, and end
#   sigterm a rank that is asked to stop while another is under SIGSTOP: it ends long before cluster.timeout_s
#   death   a rank under SIGKILL, over Gloo and MPI: the others end
#   crash   a rank under SIGABRT, as a failing library ends it: not the exit status of wrong use
#   memory  the kernel kills a rank that is out of memory: resumed, same bits (root; cgroups)
#   space   a disk without room (root): a warning, no checkpoint, and the next one once there is room
#   limit   a limit on one rank's files: the same, and the warning names the rank
# It says which packages are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts/require.sh gloo mpi mpirun pgrep prlimit
. scripts/cluster/ranks.sh
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
endless=(--set train.steps=1000000 --set train.eval_every=0 --set train.keep=2)
trap '{ umount --lazy "$tmp/disk" || true; } 2>/dev/null; leave; rmdir /sys/fs/cgroup{/memory,}/gotrain-$$ 2>/dev/null || true' EXIT

seconds() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", b - a }'; }
newest() { readlink "$1/checkpoints/latest"; }
is_newer() { [ "$(newest "$1")" != "$2" ]; }
stopped() { # all ranks ended with 75
  ended || true
  [ "$(printf '%s\n' "${statuses[@]}" | sort -u)" = 75 ] || fail "$1: exit statuses ${statuses[*]}, want 75"
}
failed() { # no rank ended well
  ended || true
  for status in "${statuses[@]}"; do [ "$status" != 0 ] || fail "$1: exit statuses ${statuses[*]}"; done
}

# start_over ENGINE RUN SIZE FLAGS... starts ranks over an engine; process RANK is then that of a rank.
start_over() {
  local engine=$1 run=$2 size=$3
  shift 3
  if [ "$engine" = gloo ]; then
    start "$run" "$size" "$@"
    return
  fi
  rm -f "$tmp"/log.*
  "${MPIRUN:-mpirun.openmpi}" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -np "$size" \
    "$tmp/gotrain" "${flags[@]}" "$@" --set cluster.engine=mpi --run "$run" 2>"$tmp/log.mpi" &
  pids=($!)
}
process() {
  local pid
  if [ ${#pids[@]} -gt 1 ]; then
    echo "${pids[$1]}"
    return
  fi
  for pid in $(pgrep -P "${pids[0]}" -x gotrain); do
    if { tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1"; } 2>/dev/null; then echo "$pid"; fi
  done
}

worlds() {
  local attempt=(--set train.steps=200 --set model.dropout=0.1 --set train.batch=6 --set train.accumulate=2) run=$tmp/worlds
  start "$tmp/same" 4 "${attempt[@]}"
  ended || fail "worlds: the undisturbed run failed"
  start "$run" 4 "${attempt[@]}"
  await 60 "step 40" reached "$run" 40
  local began grace
  began=$(date +%s.%N)
  kill -TERM "${pids[2]}"
  stopped worlds
  grace=$(seconds "$began")
  start "$run" 3 "${attempt[@]}"
  await 60 "step 90" reached "$run" 90
  slay "${pids[1]}"
  failed worlds
  start "$run" 1 "${attempt[@]}"
  await 60 "step 140" reached "$run" 140
  kill -USR1 "${pids[0]}"
  stopped worlds
  start "$run" 4 "${attempt[@]}"
  ended || fail "worlds: the last attempt failed"
  diff <(losses "$tmp/same" | cut -d' ' -f1,2) <(losses "$run" | cut -d' ' -f1,2) || fail "worlds: steps are missing or twice"
  local difference
  difference=$(paste -d' ' <(losses "$tmp/same") <(losses "$run") | awk '{ d = $3 - $6; if (d < 0) d = -d; if (d > most) most = d } END { print most + 0 }')
  awk -v d="$difference" 'BEGIN { exit !(d <= 1e-3) }' || fail "worlds: a loss differs by $difference"
  echo "worlds: 4 ranks (SIGTERM), 3 (SIGKILL), 1 (SIGUSR1), 4: 200 steps, each once, with dropout; the losses differ by $difference at most; $grace s from SIGTERM to the end of all"
}

stall() {
  local engine began
  for engine in gloo mpi; do
    start_over $engine "$tmp/stall-$engine" 3 "${endless[@]}" --set cluster.timeout_s=4
    await 60 "step 20" reached "$tmp/stall-$engine" 20
    sleep 6 # heartbeats come every 5 s
    stopped=$(process 1)
    began=$(date +%s.%N)
    kill -STOP "$stopped"
    await 40 "a report over $engine that rank 1 hangs" says 'rank 1 on .* hangs'
    await 20 "the end of rank 0 over $engine" gone "$(process 0)"
    if [ $engine = gloo ]; then slay "$stopped"; fi # mpirun ends its ranks itself
    failed "stall over $engine"
    echo "stall over $engine: $(seconds "$began") s from SIGSTOP to the end, cluster.timeout_s=4: $(grep -hm1 -E 'rank 1 on .* hangs' "$tmp"/log.*)"
  done
}

sigterm() {
  start "$tmp/sigterm" 2 "${endless[@]}"
  await 60 "step 20" reached "$tmp/sigterm" 20
  sleep 6 # heartbeats come every 5 s
  local began
  began=$(date +%s.%N)
  kill -STOP "${pids[1]}"
  kill -TERM "${pids[0]}"
  await 40 "the end of rank 0, which was asked to stop" gone "${pids[0]}"
  slay "${pids[1]}"
  failed sigterm
  says 'rank 1 on .* hangs' || fail "sigterm: rank 0 does not say whom it waited for"
  echo "sigterm: rank 0 ended $(seconds "$began") s after SIGTERM while rank 1 was under SIGSTOP, cluster.timeout_s=600"
}

gone() { [ -z "$1" ] || ! kill -0 "$1"; }

death() {
  local engine began
  for engine in gloo mpi; do
    start_over $engine "$tmp/death-$engine" 3 "${endless[@]}"
    await 60 "step 20" reached "$tmp/death-$engine" 20
    began=$(date +%s.%N)
    slay "$(process 2)"
    failed "death over $engine"
    awk -v s="$(seconds "$began")" 'BEGIN { exit !(s < 5) }' || fail "death over $engine: the others took $(seconds "$began") s to end"
    echo "death over $engine: all ranks ended $(seconds "$began") s after SIGKILL to rank 2"
  done
}

crash() {
  start "$tmp/crash" 2 "${endless[@]}"
  await 60 "step 20" reached "$tmp/crash" 20
  kill -ABRT "${pids[1]}"
  failed crash
  [ "${statuses[1]}" != 2 ] || fail "crash: exit status 2 is that of wrong use, after which launchers do not start again"
  echo "crash: SIGABRT to rank 1 gives exit statuses ${statuses[*]}"
}

memory() {
  local group=/sys/fs/cgroup/memory/gotrain-$$ limit=memory.limit_in_bytes used=memory.usage_in_bytes kills=memory.oom_control
  if [ ! -d /sys/fs/cgroup/memory ]; then
    group=/sys/fs/cgroup/gotrain-$$ limit=memory.max used=memory.current kills=memory.events
  fi
  mkdir "$group" && [ -f "$group/$limit" ] || fail "memory: no cgroup that limits memory can be made here"
  start "$tmp/whole" 2 --set train.steps=400
  ended || fail "memory: the undisturbed run failed"
  start "$tmp/memory" 2 --set train.steps=400
  echo "${pids[1]}" >"$group/cgroup.procs"
  await 60 "step 40" reached "$tmp/memory" 40
  echo $(($(cat "$group/$used") + (100 << 20))) >"$group/$limit"
  # A neighbour takes more than is left; the kernel prefers to kill the rank.
  echo 1000 >"/proc/${pids[1]}/oom_score_adj"
  (
    echo $BASHPID >"$group/cgroup.procs"
    head -c 105M /dev/zero | tail -c 105M >/dev/null
  ) 2>/dev/null &
  local neighbour=$! at
  failed memory
  at=$(made "$tmp/memory")
  wait $neighbour || true
  grep -q 'oom_kill [1-9]' "$group/$kills" || fail "memory: the kernel has killed nothing"
  [ "${statuses[1]}" = 137 ] || fail "memory: exit statuses ${statuses[*]}, want 137 of rank 1"
  start "$tmp/memory" 2 --set train.steps=400
  ended || fail "memory: the run does not go on"
  [ "$(bits "$tmp/memory")" = "$(bits "$tmp/whole")" ] || fail "memory: other bits than the undisturbed run"
  echo "memory: the kernel killed rank 1 at step $at; resumed, same bits"
}

# refused RUN PATTERN waits for the warning that a checkpoint was not saved; from then on none is committed while ranks
# go on for some saves: kept is the newest, warning what rank 0 said.
refused() {
  await 30 "a warning" says "the checkpoint was not saved, training goes on: .*$2"
  warning=$(grep -hm1 -o 'the checkpoint was not saved.*' "$tmp/log.0")
  kept=$(newest "$1")
  await 30 "more warnings" repeated
  [ "$(newest "$1")" = "$kept" ] || fail "a checkpoint was committed although saves fail"
}
repeated() { [ "$(grep -c 'the checkpoint was not saved' "$tmp/log.0")" -ge 4 ]; }

space() {
  local run=$tmp/disk/run
  mkdir "$tmp/disk"
  mount -t tmpfs -o size=20M none "$tmp/disk"
  start "$run" 2 "${endless[@]}"
  await 60 "a checkpoint" is_newer "$run" ""
  head -c 20M /dev/zero >"$tmp/disk/full" 2>/dev/null || true
  refused "$run" 'no space left on device'
  rm "$tmp/disk/full"
  await 30 "a checkpoint after there is room" is_newer "$run" "$kept"
  kill -TERM "${pids[1]}"
  stopped space
  start "$run" 3 --set train.steps=1
  ended || fail "space: three ranks do not read what two saved"
  echo "space: ENOSPC on a tmpfs of 20 MiB: $kept kept, saved again with room; $warning"
}

limit() {
  local run=$tmp/limit
  start "$run" 2 "${endless[@]}"
  await 60 "a checkpoint" is_newer "$run" ""
  prlimit --pid "${pids[1]}" --fsize=65536:
  refused "$run" 'rank 1 failed: .*file too large'
  prlimit --pid "${pids[1]}" --fsize=unlimited:
  await 30 "a checkpoint without the limit" is_newer "$run" "$kept"
  kill -TERM "${pids[0]}"
  stopped limit
  echo "limit: EFBIG on rank 1: $kept kept, saved again without the limit; $warning"
}

scenarios=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  scenarios+=("$1")
  shift
done
flags+=("${@:2}")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(worlds stall sigterm death crash memory space limit)
case " ${scenarios[*]} " in *" memory "* | *" space "*) scripts/require.sh root ;; esac
build gloo,mpi
for scenario in "${scenarios[@]}"; do $scenario; done
