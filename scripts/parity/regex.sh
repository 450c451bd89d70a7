#!/usr/bin/env bash
# Compares our regular expressions with Oniguruma in Hugging Face tokenizers; see onig.py.
# usage: scripts/parity/regex.sh [patterns, default 5000 [seed]]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/regex" ./scripts/parity/regex
"$python" scripts/parity/onig.py "$tmp/regex" "${1:-5000}" "${2:-1}" 2> "$tmp/panics"
