#!/usr/bin/env bash
# Compares the tokens and masks of conversations with transformers' apply_chat_template; see conversations.py.
# usage: scripts/parity/conversations.sh [conversations, default 200 [tokenizers, default 12 [seed [folder of texts]]]]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/conversations" ./scripts/parity/conversations
"$python" scripts/parity/conversations.py "$tmp/conversations" "${1:-200}" "${2:-12}" "${3:-1}" "${4:-}" 2> "$tmp/panics"
