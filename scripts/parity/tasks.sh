#!/usr/bin/env bash
# Compares eval --task with lm-evaluation-harness; see tasks.py.
# usage: scripts/parity/tasks.sh [python that has lm-eval, default .venv/bin/python]
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-.venv/bin/python}
if ! "$python" -c 'import lm_eval' 2>/dev/null; then
  echo "$python has no lm_eval: pip install lm-eval==0.4.13 into a virtual environment beside torch and transformers, and name its python" >&2
  exit 1
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
HF_HUB_OFFLINE=1 HF_HOME="$tmp" "$python" scripts/parity/tasks.py "$tmp/gotrain"
