#!/usr/bin/env bash
# Installs what make build-cluster and make test-cluster need on Debian and Ubuntu, as root: Gloo and Open MPI. Gloo is
# linked dynamically, as Debian has no libgloo.a; machines that only run the binary need libgloo0, or openmpi-bin for MPI.
set -euo pipefail
apt-get install -y --no-install-recommends g++ pkg-config libgloo-dev libopenmpi-dev openmpi-bin
