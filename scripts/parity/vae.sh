#!/usr/bin/env bash
# The evidence lower bound of configs/mnist-vae.yaml on MNIST's test digits beside that of a twin in PyTorch, diffusers' AutoencoderKL, which begins
# at the same weights and takes as many steps at the same learning rates on digits in an order of its own; they have to be within 1%. Fetches MNIST
# and diffusers into build.
# usage: scripts/parity/vae.sh [steps, default those of the configuration]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/diffusers.sh
scripts/data/pictures.sh mnist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/gotrain" ./cmd/gotrain
run() { "$work/gotrain" pretrain --config configs/mnist-vae.yaml --device cpu --set train.save_every=0 --run "$work/$1" "${@:2}" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }; }
run first --set train.steps=1 --set train.eval_every=0 --set optimizer.warmup=0 --set optimizer.schedule=constant --set optimizer.lr=1e-30 --set optimizer.min_lr=1e-30
run ours ${1:+--set train.steps="$1"} --set train.eval_every=0
PYTHONPATH=build/diffusers "$python" scripts/parity/vae.py "$work/first" "$work/ours"
