#!/usr/bin/env bash
# Ends the cluster that slurm_up.sh started in DIR: every process in its namespaces, its munged, and the namespaces.
# DIR with its logs stays.
# usage: slurm_down.sh DIR
set -euo pipefail
dir=$(cd "$1" && pwd -P)
name=$(basename "$dir")
mapfile -t spaces < <(ip netns list | awk -v prefix="$name-" 'index($1, prefix) == 1 { print $1 }')
for space in "${spaces[@]}"; do
  for pid in $(ip netns pids "$space"); do kill -KILL "$pid" 2>/dev/null || true; done
done
if [ -f "$dir/munge/pid" ]; then kill "$(cat "$dir/munge/pid")" 2>/dev/null || true; fi
for space in "${spaces[@]}"; do ip netns del "$space"; done
