#!/usr/bin/env bash
# Validates the manifests of this folder offline, but for what pip and go fetch: see validate.py.
set -euo pipefail
cd "$(dirname "$0")"
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet kubernetes-validate jsonschema pyyaml
trainer=$(cd "$environment" && go mod download -json github.com/kubeflow/trainer/v2@v2.0.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
"$environment/bin/python" validate.py "$trainer"
