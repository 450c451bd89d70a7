#!/usr/bin/env bash
# Compares configurations and files of models with transformers; see models.py.
# usage: scripts/parity/models.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/parity/logits
"$python" scripts/parity/models.py "$tmp"
