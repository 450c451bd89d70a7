#!/usr/bin/env bash
# Makes what Go needs to compile and link with -tags gpu: cuda.h, and the trampolines to the shared libraries.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/require.sh gcc
scripts/cuda/toolkit.sh headers
go run ./scripts/cuda/trampolines
