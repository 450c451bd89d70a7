#!/usr/bin/env bash
# Gives the module the path of where it is hosted, in every file that names it: go.mod, imports, comments, release flags.
# usage: scripts/module.sh example.org/people/gotrain
set -euo pipefail
cd "$(dirname "$0")/.."
old=$(go list -m)
new=${1:?"usage: scripts/module.sh PATH, which is $old now"}
[[ $new =~ ^[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._-]+)+$ ]] || { echo "module.sh: $new: use host.domain/path" >&2; exit 2; }

git ls-files -z '*.go' '*go.mod' '*.md' '*.sh' '*.yaml' ':!:scripts/module.sh' |
  OLD=$old NEW=$new xargs -0 perl -pi -e 's{(?<![\w./-])\Q$ENV{OLD}\E(?=/)}{$ENV{NEW}}g if $ARGV =~ /\.go$/ || m{\Q$ENV{OLD}\E/} && $ENV{OLD} =~ /\./; s{^module \Q$ENV{OLD}\E(?=[/\s])}{module $ENV{NEW}} if $ARGV =~ /go\.mod$/'
gofmt -w $(git ls-files -m '*.go')
go build ./... && go vet .
echo "the module is $(go list -m)"
