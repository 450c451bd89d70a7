#!/usr/bin/env bash
# Prints the Go lines of each package, without tests and of tests, as a table of Markdown. Generated files do not count.
# usage: scripts/lines.sh [COMMIT]     default: the working tree
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  git archive "$1" | tar -x -C "$tree"
  cd "$tree"
fi
echo '| package | code | tests |'
echo '|---|---|---|'
find . -name '*.go' -not -path './build/*' -not -path './.*' | while read -r file; do
  if ! grep -qm1 '^// Code generated .* DO NOT EDIT\.$' "$file"; then echo "$(wc -l <"$file") $file"; fi
done | awk '
  { folder = $2; sub(/^\.\//, "", folder); if (!sub(/\/[^\/]*$/, "", folder)) folder = "."; of[folder]; kind = $2 ~ /_test\.go$/ ? "tests" : "code"; lines[folder, kind] += $1; total[kind] += $1 }
  END {
    for (folder in of) printf "| %s | %d | %d |\n", folder, lines[folder, "code"], lines[folder, "tests"] | "sort"
    close("sort")
    printf "| total | %d | %d |\n", total["code"], total["tests"]
  }'
