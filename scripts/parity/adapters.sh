#!/usr/bin/env bash
# Compares configurations of adapters with peft, on small models; see adapters.py.
# usage: scripts/parity/adapters.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/logits" ./scripts/parity/logits
"$python" scripts/parity/adapters.py "$tmp"
