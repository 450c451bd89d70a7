#!/usr/bin/env bash
# Holds what is built for CUDA against NVIDIA's own libraries, without a GPU: all that they check before they need one.
# Prints a table, a line each check; fails when one does not hold. It fetches about 800 MB of packages into build/cuda, and
# libcuda out of Debian's non-free component where there is apt-get.
#
# usage: scripts/cuda/real.sh [CHIP...]    chips as nvcc has them: 80 86 89 90a 100 103 120 121 unless named
set -euo pipefail
cd "$(dirname "$0")/../.."

chips=("$@")
((${#chips[@]})) || chips=(80 86 89 90a 100 103 120 121)
real=build/cuda/real failed=0

scripts/cuda/build.sh
scripts/cuda/toolkit.sh toolkit disassembler libraries
include=build/cuda/toolkit/nvidia/cu13/include PATH=$PWD/build/cuda/toolkit/nvidia/cu13/bin:$PWD/build/cuda/disassembler/nvidia/cu13/bin:$PATH
libraries=$PWD/build/cuda/libraries/nvidia
mkdir -p "$real"

# row WHAT COMMAND...: runs a check, whose last line of output says what it found.
row() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then
    printf 'ok    %-28s %s\n' "$what" "$(tail -n 1 <<< "$out")"
  else
    printf 'FAIL  %-28s %s\n' "$what" "$(tail -n 3 <<< "$out" | tr '\n' ' ')"
    failed=1
  fi
}

# driver fetches libcuda into $real/driver.
driver() {
  local apt=$PWD/$real/apt
  [[ -e $real/driver/libcuda.so.1 ]] && return
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$real/driver"
  echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm non-free' > "$apt/sources"
  local options=(-qq -o "Dir::Etc::SourceList=$apt/sources" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  apt-get "${options[@]}" update
  (cd "$apt" && apt-get "${options[@]}" download libcuda1 && dpkg -x libcuda1_*.deb root)
  cp -a "$apt"/root/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so* "$real/driver" 2>/dev/null ||
    cp -a "$(dirname "$(find "$apt/root" -name 'libcuda.so.*' | head -n 1)")"/libcuda.so* "$real/driver"
  [[ -e $real/driver/libcuda.so.1 ]] || ln -s "$(basename "$(ls "$real"/driver/libcuda.so.* | head -n 1)")" "$real/driver/libcuda.so.1"
}

# reached links a program that takes the address of every function of the driver that our code or gorgonia.org/cu names.
reached() {
  local names folder
  folder=$(go list -m -f '{{.Dir}}' gorgonia.org/cu)
  names=$(grep -ohE '\bcu[A-Z][A-Za-z0-9]*\b' cuda/*.go cuda/*.c "$folder"/*.go "$folder"/*.c 2>/dev/null | sort -u |
    grep -xFf <(nm build/cuda/lib/libcuda.a 2>/dev/null | sed -n 's/.* T \(cu[A-Za-z0-9]*\)\(_v[0-9]\)\{0,1\}$/\1/p'))
  { echo '#include <cuda.h>'; echo 'void *all[] = {'; sed 's/.*/(void *)&,/' <<< "$names"; echo '}; int main(void) { return 0; }'; } > "$real/reached.c"
  gcc -w -Ibuild/cuda/headers/nvidia/cuda_runtime/include -o "$real/reached" "$real/reached.c" "$real/driver/libcuda.so.1" -Wl,--allow-shlib-undefined
  echo "$(wc -l <<< "$names") functions, none is missing in $(readlink "$real/driver/libcuda.so.1" || echo libcuda)"
}

# doctor finds a library by our own loader.
doctor() {
  local line
  line=$(LD_LIBRARY_PATH=$2 bin/gotrain-cuda doctor | grep -E "^(ok|warn) +$1 ")
  sed -E 's/^(ok|warn) +[^ ]+ +//' <<< "$line"
  grep -qE ' ([0-9]+) of \1 functions|too old' <<< "$line"
}

# assemble CHIP translates the PTX of every module by NVIDIA's assembler and compares what kernels take.
assemble() {
  local f
  for f in "$real"/ptx/*.ptx; do
    ptxas -v -arch="sm_$1" -o "$real/ptx/out.cubin" "$f" 2>&1 || return 1
  done > "$real/ptx/sm_$1.log"
  go run ./scripts/cuda/real "$real/ptx/sm_$1.log"
}

# link CHIP translates them by the driver's compiler.
link() { LD_LIBRARY_PATH=$libraries/cu13/lib "$real/jit" "sm_$1" "$real"/ptx/*.ptx; }

cublaslt() { LD_LIBRARY_PATH=$libraries/cu13/lib "$real/cublaslt"; }

shapes() {
  (. scripts/cuda/env.sh && CUDASIM_CHIP=$1 CUDASIM_MEMORY=256 LD_LIBRARY_PATH=$PWD/build/sim \
    go test -tags gpu -count=1 ./cmd/gotrain -run '^TestCUDAShapes$' -v > "$real/shapes.log") || { grep -m 3 'cuda\|FAIL' "$real/shapes.log"; return 1; }
  echo "$(grep -c '^    --- PASS' "$real/shapes.log") models bound and captured, $(grep -c '^    --- SKIP' "$real/shapes.log") that plan --card refuses"
}

if command -v apt-get > /dev/null; then
  driver
  row "libcuda: functions" reached
  row "libcuda: our loader" doctor libcuda "$PWD/$real/driver"
fi
row "cuBLASLt: our loader" doctor libcublasLt "$libraries/cu13/lib"
row "NCCL: our loader" doctor libnccl "$libraries/nccl/lib"
row "cuBLASLt: interface" scripts/cuda/check_abi.sh cublaslt "$libraries/cu13/include" "$include"
row "NCCL: interface" scripts/cuda/check_abi.sh nccl "$libraries/nccl/include" "$include"

gcc -O1 -Icuda -o "$real/cublaslt" scripts/cuda/real/probe/cublaslt.c -L"$libraries/cu13/lib" -l:libcublasLt.so.13
row "cuBLASLt: attributes" cublaslt
gcc -O1 -I"$libraries/cu13/include" -o "$real/jit" scripts/cuda/real/probe/jit.c -L"$libraries/cu13/lib" -l:libnvJitLink.so.13

rm -rf "$real/ptx"
mkdir -p "$real/ptx"
for f in cuda/kernels/fatbin/*.fatbin; do
  cuobjdump -ptx "$f" | awk '/^Fatbin/ { on = 0 } /^\.version/ { on = 1 } on' > "$real/ptx/$(basename "$f" .fatbin).ptx"
done
for chip in "${chips[@]}"; do
  row "sm_$chip: ptxas" assemble "$chip"
  row "sm_$chip: nvJitLink" link "$chip"
done
scripts/cuda/sim.sh
for chip in 80 86 89 90 100 120; do
  row "sm_$chip: launches of steps" shapes "$chip"
done
exit $failed
