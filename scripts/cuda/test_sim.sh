#!/usr/bin/env bash
# Tests what is built for CUDA on the simulator: the driver layer, every kernel against its definition, training from the
# command line. With a sanitizer, the kernels and the driver layer only; under thread also the bytes that kernels move.
#
# usage: scripts/cuda/test_sim.sh [address|undefined|thread]
set -euo pipefail
cd "$(dirname "$0")/../.."

sanitizer=${1:-}
scripts/cuda/libraries.sh
scripts/cuda/kernels.sh
scripts/cuda/sim.sh ${sanitizer:+-s "$sanitizer"}
. scripts/cuda/env.sh
export LD_LIBRARY_PATH=$PWD/build/sim${sanitizer:+-$sanitizer}

# Go does not know that its cached results depend on the simulator, hence -count=1.
test() { go test -tags gpu -count=1 "${run[@]}" "$@"; }

run=()
if [ "$sanitizer" = address ]; then
  # Go frees nothing at exit. Only the tests get the sanitizer, not the go command.
  run=(-exec "env ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=$(gcc -print-file-name=libasan.so)")
fi
skip=()
if [ -n "$sanitizer" ]; then
  skip=(-skip '^TestNoAllocation$') # which asks of Go alone
fi
if [ "$sanitizer" = thread ]; then
  # What takes the longest: attention once more, though it computes nothing in place, and its largest cases where smaller
  # ones run the same kernels.
  skip=(-skip '^TestNoAllocation$|^TestMemory$/^cuda/^(Relative)?Attention|^TestDefinition$/^cuda/^Attention/_tiles$/^f32|^TestDefinition$/^cuda/^RelativeAttention/^large')
  # Who looks at every access counts bytes too.
  test ./cuda/backend -run '^TestTraffic$'
fi
test ./autograd/optest -run '/^cuda' "${skip[@]}"
if [ -n "$sanitizer" ]; then
  test ./cuda
else
  # Cards whose blocks have 99 KiB of shared memory: heads of up to 256 in bfloat16.
  for chip in 89 90; do
    CUDASIM_CHIP=$chip CUDASIM_MEMORY=256 test ./cmd/gotrain -run '^TestCUDAShapes$'
  done
  CUDASIM_CHIP=89 test ./autograd/optest -run '^TestDefinition$/^cuda/^Attention/./^bf16'
  CUDASIM_CHIP=89 test ./cuda/backend -run '^TestUseAttention$'
  test ./cuda/... ./train/device ./train/ranks/nccl ./train/ranks/join
  test ./train/leaf
  test ./cmd/gotrain -run 'CUDA|TestPlan$|TestWrongUse$'
fi
