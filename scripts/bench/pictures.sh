#!/usr/bin/env bash
# Prints the training speed and the memory of a U-Net, a DCGAN and a VAE beside PyTorch's, whose models are diffusers' and
# those of its tutorial; the losses of the first step have to be equal. Fetches diffusers into build/diffusers. See pictures.py.
# usage: scripts/bench/pictures.sh [rounds, default 3] [seconds a measurement, default 10] [modes of PyTorch, default eager,nhwc,compile]
#                                  [models, default unet,dcgan,vae]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/diffusers.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
lscpu | grep -E 'Model name|^CPU\(s\)'
PYTHONPATH=build/diffusers "$python" scripts/bench/pictures.py compare "$tmp/gotrain" "${1:-3}" "${2:-10}" "${3:-eager,nhwc,compile}" "${4:-unet,dcgan,vae}"
