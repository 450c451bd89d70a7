#!/usr/bin/env bash
# Compares longer contexts and added tokens of a base with transformers; see bases.py.
# usage: scripts/parity/bases.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/parity/logits
"$python" scripts/parity/bases.py "$tmp"
