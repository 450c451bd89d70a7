#!/usr/bin/env bash
# Compiles the kernels whose sources have changed: cuda/kernels/NAME.cu to cuda/kernels/fatbin/NAME.fatbin, with machine
# code for sm_80, sm_90a and sm_100 and PTX of compute_80. Fetches nvcc if anything has to be compiled. The same sources
# give the same bits in every folder: nvcc.options has cicc name things of internal linkage by a fixed path.
#
# usage: scripts/cuda/kernels.sh [NAME...]    those that have changed among the named ones; all by default
# JOBS compilations run at a time, 2 by default.
set -euo pipefail
cd "$(dirname "$0")/../.."

go run ./scripts/cuda/kernels signatures
stale=$(go run ./scripts/cuda/kernels stale)
if [ $# -gt 0 ]; then
  stale=$(printf '%s\n' "$@" | grep -xF -e "$stale" || true)
fi
if [ -z "$stale" ]; then
  go run ./scripts/cuda/kernels record # forgets sources that are gone
  exit
fi

scripts/cuda/toolkit.sh toolkit
export nvcc=build/cuda/toolkit/nvidia/cu13/bin/nvcc
compile() {
  echo "compiling $1.cu"
  local said
  said=$("$nvcc" -fatbin --options-file cuda/kernels/nvcc.options -o "cuda/kernels/fatbin/$1.fatbin" "cuda/kernels/$1.cu" 2>&1) || { echo "$said" >&2; return 1; }
  [[ -z $said ]] || echo "$said" >&2
  # ptxas C7510: wgmma that it cannot keep in flight waits for each product; C7508: setmaxnreg is ignored.
  if [[ $said == *"Performance Loss"* ]]; then
    rm "cuda/kernels/fatbin/$1.fatbin"
    return 1
  fi
}
export -f compile
xargs -P "${JOBS:-2}" -I{} bash -c 'compile {}' <<<"$stale"
# shellcheck disable=SC2086 # one word a source
go run ./scripts/cuda/kernels record $stale
