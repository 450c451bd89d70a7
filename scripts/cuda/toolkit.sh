#!/usr/bin/env bash
# Fetches NVIDIA's compiler and headers, as Python packages of pinned versions, into build/cuda:
#
#   headers       cuda.h 12.8 (1 MB): the last that gorgonia.org/cu compiles against. Enough to build the binary.
#   toolkit       nvcc 13.0 (104 MB): compiles the kernels. 13.0, since a driver of the 580 series refuses newer PTX.
#   disassembler  cuobjdump and nvdisasm 13.2 (the first ones packaged): for scripts/cuda/report.sh.
#   libraries     cuBLASLt 13.1, NCCL 2.32 and nvJitLink 13.0 (770 MB): for scripts/cuda/real.sh.
#
# usage: scripts/cuda/toolkit.sh headers|toolkit|disassembler|libraries...
# A folder that holds its packages already is left alone. PYTHON names the interpreter whose pip fetches.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages() {
  case $1 in
    headers) echo nvidia-cuda-runtime-cu12==12.8.90 ;;
    toolkit) echo nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
      nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 ;;
    disassembler) echo nvidia-cuda-cuobjdump==13.2.51 nvidia-cuda-nvdisasm==13.2.51 ;;
    libraries) echo nvidia-nvjitlink==13.0.88 nvidia-cublas==13.1.0.3 nvidia-nccl-cu13==2.32.3 ;;
    *) echo "toolkit.sh: no part named $1; there are headers, toolkit, disassembler and libraries" >&2; return 2 ;;
  esac
}

# complete FOLDER PACKAGE==VERSION...: whether pip has put all of them there.
complete() {
  local folder=$1 package
  shift
  for package in "$@"; do
    local name=${package%%==*}
    [ -d "$folder/${name//-/_}-${package##*==}.dist-info" ] || return 1
  done
}

for part in "$@"; do
  wanted=$(packages "$part")
  # shellcheck disable=SC2086 # one word a package
  if complete "build/cuda/$part" $wanted; then
    continue
  fi
  scripts/require.sh pip
  echo "fetching $wanted into build/cuda/$part"
  fresh=build/cuda/$part.new
  rm -rf "$fresh"
  # shellcheck disable=SC2086
  PIP_ROOT_USER_ACTION=ignore "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --no-deps --target "$fresh" $wanted
  rm -rf "build/cuda/$part"
  mv "$fresh" "build/cuda/$part"
done
