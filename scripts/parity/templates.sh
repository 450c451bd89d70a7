#!/usr/bin/env bash
# Compares chat templates with jinja2 as transformers sets it up: templates that a grammar generates, the shipped ones, and
# files given. Prints those that differ and what is refused by name, and fails when one differs.
# usage: scripts/parity/templates.sh [how many are generated, default 5000] [seed, default 1] [FILE.jinja …]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/templates" ./scripts/parity/templates
"$python" scripts/parity/templates.py compare "$tmp/templates" data/chat/templates/*.jinja data/chat/testdata/*.jinja "${@:3}" \
  --count "${1:-5000}" --seed "${2:-1}"
