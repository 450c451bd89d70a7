#!/usr/bin/env bash
# Faces of a published DCGAN as gotrain and as PyTorch draw them; downloads 13 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip download -q --no-deps --dest "$work" gan-face-generate==1.1.1
"$python" -m zipfile -e "$work"/gan_face_generate-*.whl "$work/package"
CGO_ENABLED=0 go build -o "$work/gotrain" ./cmd/gotrain
mkdir "$work/model"
"$python" scripts/parity/gan.py "$work/gotrain" "$work/package/gan_face_generate/weights.tar" "$work/model"
