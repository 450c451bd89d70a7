#!/usr/bin/env bash
# Builds bin/gotrain-cuda on a machine with Go, gcc and python3 with pip; neither CUDA nor a GPU is needed. The binary
# runs on every Linux machine with glibc 2.34 or later, and trains on CUDA where there is an NVIDIA driver.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/cuda/libraries.sh
scripts/cuda/kernels.sh
. scripts/cuda/env.sh
go build -trimpath -tags gpu -o bin/gotrain-cuda ./cmd/gotrain
