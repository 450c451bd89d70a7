#!/bin/sh
# Compares data/bpe with Hugging Face tokenizers (training) and tiktoken (encoding) on this machine, in one run, and prints
# one table. Each line names the work, both sides and their ratio; "same" says that both gave the same merges or ids.
#
#   scripts/bench_bpe.sh [TEXT]     TEXT: a file to encode besides Go source; default: the Opticks in the Go tree
#
# Takes about three minutes and 1 GB of memory. Needs Go and Python; installs scripts/requirements.txt into .venv if missing.
set -eu
cd "$(dirname "$0")/.."
text=${1:-$(go env GOROOT)/src/testdata/Isaac.Newton-Opticks.txt}
if ! .venv/bin/python -c 'import tiktoken, tokenizers' 2>/dev/null; then
	python3 -m venv .venv
	.venv/bin/pip install --quiet -r scripts/requirements.txt
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bench_bpe" scripts/bench_bpe.go
.venv/bin/python scripts/bench_bpe.py table "$work/bench_bpe" "$(go env GOROOT)/src" "$text" "$work"
