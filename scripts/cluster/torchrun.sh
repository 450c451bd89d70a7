#!/usr/bin/env bash
# Starts gotrain under torchrun, which restarts all ranks when one dies. One machine:
#   RANKS=8 scripts/cluster/torchrun.sh pretrain --config configs/gpt2-124m.yaml
# On each of NODES machines, HEAD being the host:port of the first:
#   NODES=2 HEAD=node1:29500 RANKS=8 scripts/cluster/torchrun.sh pretrain --config configs/gpt2-124m.yaml
# On GPUs: GOTRAIN=bin/gotrain-cuda, and --device cuda behind it all.
# RANKS counts those of one machine, one for each GPU. GOTRAIN is the binary (bin/gotrain-cluster), RESTARTS how often torchrun
# tries again (20), TORCHRUN the command itself (torchrun, from Python's package torch).
set -euo pipefail
exec "${TORCHRUN:-torchrun}" --no-python --nnodes="${NODES:-1}" --nproc-per-node="${RANKS:-1}" \
  --rdzv-backend=c10d --rdzv-endpoint="${HEAD:-127.0.0.1:29500}" --rdzv-id="${ID:-gotrain}" \
  --max-restarts="${RESTARTS:-20}" --monitor-interval=0.2 -- "${GOTRAIN:-bin/gotrain-cluster}" "$@"
