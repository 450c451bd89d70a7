#!/usr/bin/env bash
# Validates the manifests of this folder offline, but for what pip and go fetch: see validate.py.
set -euo pipefail
cd "$(dirname "$0")"
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet kubernetes-validate jsonschema pyyaml
module() { (cd "$environment" && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); }
"$environment/bin/python" validate.py "$(module github.com/kubeflow/trainer/v2@v2.0.0)" "$(module sigs.k8s.io/jobset@v0.8.0)"
