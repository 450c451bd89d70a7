#!/usr/bin/env bash
# Compares our tokenizers with Hugging Face's tokenizers on files made at random; see generated.py.
# usage: scripts/parity/generated.sh [tokenizers, default 500 [texts of each, default 20 [seed [folder of texts]]]]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/tokenize" ./scripts/parity/tokenize
"$python" scripts/parity/generated.py "$tmp/tokenize" "${1:-500}" "${2:-20}" "${3:-1}" "${4:-}" 2> "$tmp/panics"
