#!/usr/bin/env bash
# Writes the golden files that tests compare with, from PyTorch and transformers.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
"$python" scripts/golden_ops.py
"$python" scripts/golden_models.py
