#!/usr/bin/env bash
# Compares data/bpe with Hugging Face tokenizers (training) and tiktoken (encoding) on this machine, in one run, and prints
# one table. Each line names the work, both sides and their ratio; "same" says that both gave the same merges or ids.
#
#   scripts/bench/bpe.sh [TEXT]     TEXT: a file to encode besides Go source; default: the Opticks in the Go tree
#
# Takes about three minutes and 1 GB of memory. Needs Go and Python; installs scripts/python/requirements.txt into .venv if missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
text=${1:-$(go env GOROOT)/src/testdata/Isaac.Newton-Opticks.txt}
. scripts/python/env.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bpe" scripts/bench/bpe.go
"$python" scripts/bench/bpe.py table "$work/bpe" "$(go env GOROOT)/src" "$text" "$work"
