#!/usr/bin/env bash
# Losses of preferences and rewards, and their gradients, beside TRL's trainers: writes what TRL says anew into
# train/recipe/prefer/testdata and compares ours with it. Fetches TRL and what it imports into build/trl.
# usage: scripts/parity/prefer.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/trl.sh
PYTHONPATH=build/trl "$python" scripts/parity/prefer.py train/recipe/prefer/testdata/losses.json 2> /dev/null
go test ./train/recipe/prefer -run OfTRL -count 1
