#!/usr/bin/env bash
# Trains the runs whose outcome LOG.md states and PyTorch twins of them, and fails where a run does not come to its threshold; see outcomes.py.
# usage: scripts/parity/outcomes.sh figure|bert|cipher|copy [threads, default 1] [steps of cipher]
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/python/env.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export THREADS=${2:-1}
case ${1:-} in
  figure)
    CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
    "$tmp/gotrain" scale lstm-figure --config configs/ladders/lstm-figure.yaml --set dir="$tmp/figure" --windows 4000
    "$python" scripts/parity/outcomes.py figure "$tmp/figure"
    ;;
  bert)
    CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
    "$tmp/gotrain" pretrain --config bert --run "$tmp/bert" --set data.cache_dir="$tmp/cache"
    "$python" scripts/parity/outcomes.py bert "$tmp/bert" "$tmp/cache"
    ;;
  cipher)
    CGO_ENABLED=0 go build -o "$tmp/gotrain" ./cmd/gotrain
    "$tmp/gotrain" data cipher --count 20000 --seed 1704 --out "$tmp/train.tsv"
    "$tmp/gotrain" data cipher --count 400 --seed 9 --out "$tmp/test.tsv"
    "$tmp/gotrain" pretrain --config translate --run "$tmp/translate" ${3:+--set train.steps=$3}
    "$tmp/gotrain" eval --model "$tmp/translate" --data "$tmp/test.tsv" --beam 1 --json >"$tmp/translate/eval.json"
    "$python" scripts/parity/outcomes.py cipher "$tmp/translate" "$tmp/train.tsv" "$tmp/test.tsv"
    ;;
  copy) "$python" scripts/parity/outcomes.py copy ;;
  *)
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
    ;;
esac
