#!/usr/bin/env bash
# Tells what the compiler made of each kernel on each chip: registers, stack, local and shared memory, accesses of 16
# bytes and tensor-core instructions. Writes cuda/kernels/report.txt, or with --check compares with it and fails where
# they differ, so that nobody spills registers unawares.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/cuda/kernels.sh
scripts/cuda/toolkit.sh disassembler
PATH=$PWD/build/cuda/disassembler/nvidia/cu13/bin:$PATH go run ./scripts/cuda/report "$@"
go run ./scripts/cuda/kernels signatures # which has registers and shared memory of the report
