#!/usr/bin/env bash
# Starts gotrain under Open MPI's mpirun and again while it fails: after a killed rank, or a stop with exit status 75.
#   RANKS=8 scripts/cluster/mpirun.sh pretrain --config configs/gpt2-124m.yaml
#   RANKS=16 HOSTS=node1:8,node2:8 scripts/cluster/mpirun.sh pretrain --config configs/gpt2-124m.yaml
# gotrain built with make build-cluster TAGS=gloo,mpi or TAGS=gloo: mpirun starts ranks of either.
# RANKS counts all ranks. GOTRAIN is the binary (bin/gotrain-cluster), RESTARTS how often to start again (20), MPIRUN the
# command (mpirun). An interrupt or SIGTERM of this script stops the ranks and is the end.
set -uo pipefail
hosts=(--oversubscribe)
if [ -n "${HOSTS:-}" ]; then hosts=(--host "$HOSTS"); fi
if [ "$(id -u)" = 0 ]; then hosts+=(--allow-run-as-root); fi
stopped=
trap 'stopped=1; kill -TERM "$pid"' INT TERM
for ((attempt = 0; ; attempt++)); do
  "${MPIRUN:-mpirun}" "${hosts[@]}" --bind-to none -np "${RANKS:-1}" "${GOTRAIN:-bin/gotrain-cluster}" "$@" &
  pid=$!
  wait "$pid"
  status=$?
  while kill -0 "$pid" 2>/dev/null; do # a signal ended wait, not mpirun
    wait "$pid"
    status=$?
  done
  if [ "$status" = 0 ] || [ "$status" = 2 ] || [ -n "$stopped" ] || [ "$attempt" -ge "${RESTARTS:-20}" ]; then exit "$status"; fi
  echo "mpirun.sh: exit status $status: started again" >&2
done
