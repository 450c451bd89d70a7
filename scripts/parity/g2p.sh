#!/usr/bin/env bash
# Spells words as phonemes by the GRUs of g2p-en 2.1.0 (PyPI, 3 MB), in gotrain and in its own code; see g2p.py.
# usage: scripts/parity/g2p.sh [words, default 2000]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
scripts/require.sh pip
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$tmp" g2p-en==2.1.0
"$python" -m zipfile -e "$tmp"/g2p_en-*.whl "$tmp"
CGO_ENABLED=0 go build -o "$tmp/g2p" ./scripts/parity/g2p
"$python" scripts/parity/g2p.py "$tmp/g2p_en" "$tmp/g2p" "$(go env GOROOT)/src/testdata/Isaac.Newton-Opticks.txt" "${1:-2000}" "$tmp"
