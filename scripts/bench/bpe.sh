#!/usr/bin/env bash
# Compares data/bpe with Hugging Face tokenizers (training), gigatoken and tiktoken (encoding) on this machine, in one run,
# and prints one table. Each line names the work, both sides and their ratio; "same" says that both gave the same merges or ids.
#
#   scripts/bench/bpe.sh [-e] [TEXT...]     -e: encoding only; TEXT: files to encode besides Go source; default: Opticks of the Go tree
#
# Encoding is the best of rounds over the same text, by CPU time with one thread and by the clock with two; "first" is the first
# round, whose words no side has seen. quicktok, another fast one by name, reads no rank files.
# Takes about five minutes, three with -e, and 1 GB of memory. Needs Go and Python; installs what is missing into .venv and build/.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=all
if [[ ${1:-} == -e ]]; then
  what=encode
  shift
fi
[[ $# -gt 0 ]] || set -- "$(go env GOROOT)/src/testdata/Isaac.Newton-Opticks.txt"
. scripts/python/env.sh
. scripts/python/gigatoken.sh
export PYTHONPATH=build/gigatoken
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/bpe" scripts/bench/bpe.go
"$python" scripts/bench/bpe.py table "$work/bpe" "$(go env GOROOT)/src" "$what" "$work" "$@"
