#!/usr/bin/env bash
# Pictures of gotrain beside diffusers' StableDiffusionPipeline on the same weights and noise: of small random pipelines that diffusers writes and
# gotrain reads, of one that gotrain trains for a few steps and exports, and with low-rank adapters of gotrain in both formats. Fetches diffusers into build/diffusers.
# usage: scripts/parity/drawing.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
. scripts/python/diffusers.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work" ./cmd/gotrain ./scripts/parity/drawing
small="--set data.size=16 --set data.shapes=64 --set data.validation=0.2 --set train.steps=3 --set train.batch=4 --set train.eval_every=3 --set train.save_every=0"
# shellcheck disable=SC2086
{
  "$work/gotrain" pretrain --config shapes-vae --run "$work/vae" $small --set 'model.widths=[16, 32]' > "$work/log" 2>&1 &&
  "$work/gotrain" pretrain --config shapes-diffusion --run "$work/latent" $small --set recipe.vae="$work/vae" --set 'model.widths=[16, 32]' --set 'model.attention=[true, false]' \
    --set recipe.schedule.shape=scaled_linear >> "$work/log" 2>&1 &&
  "$work/gotrain" export "$work/latent" "$work/exported" >> "$work/log" 2>&1 &&
  "$work/gotrain" finetune --config finetune-picture-lora --base "$work/exported" --run "$work/lora" $small --set optimizer.lr=0.05 >> "$work/log" 2>&1 &&
  "$work/gotrain" export "$work/lora" "$work/merged" >> "$work/log" 2>&1 &&
  "$work/gotrain" export "$work/lora" "$work/alone" --format lora >> "$work/log" 2>&1 &&
  "$work/gotrain" export "$work/lora" "$work/kohya.safetensors" --format kohya >> "$work/log" 2>&1
} || { cat "$work/log"; exit 1; }
PYTHONPATH=build/diffusers "$python" scripts/parity/drawing.py "$work/drawing" --small "$work/exported" \
  "$work/merged=$work/exported+$work/alone" "$work/merged=$work/exported+$work/kohya.safetensors" 2> "$work/log" || { cat "$work/log"; exit 1; }
