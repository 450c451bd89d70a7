#!/usr/bin/env bash
# Plants the faults of scripts/mutants/gpu into what is built for CUDA, one at a time, and tells which of them the tests
# notice on the simulator (build/sim, which scripts/cuda/test_sim.sh builds).
#
# usage: scripts/cuda/mutants.sh [OPTION...]    options of scripts/mutants: -only GLOB, -v, -again
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/cuda/libraries.sh
scripts/cuda/sim.sh
go build -o build/mutants ./scripts/mutants
. scripts/cuda/env.sh
# Go does not know that its cached results depend on the simulator.
GOFLAGS="-tags=gpu -count=1" LD_LIBRARY_PATH=$PWD/build/sim build/mutants "$@" scripts/mutants/gpu
