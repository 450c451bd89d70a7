#!/usr/bin/env bash
# Builds the CUDA simulator: libcuda.so.1, with the kernels linked in, and the fake libcublasLt.so.13 and libnccl.so.2.
#
#   scripts/cuda/sim.sh [-o FOLDER] [-s address|thread|undefined] [--planted] [FILE.cu…]
#
#   -o FOLDER     where to (build/sim; build/sim-address with -s address, and so on)
#   -s SANITIZER  instrument simulator and kernels; with thread the simulator itself looks at every access of a kernel
#   --planted     link the kernels with planted faults of cuda/sim/planted, which the simulator's own tests launch
#   FILE.cu…      link these kernels only (all of cuda/kernels)
#
# Needs g++ and the header that scripts/cuda/toolkit.sh fetches. Sources are compiled again when they or a header that
# they include have changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

out= sanitizer= planted= kernels=()
while (($#)); do
  case $1 in
    -o) out=$2; shift 2 ;;
    -s) sanitizer=$2; shift 2 ;;
    --planted) planted=1; shift ;;
    -*) echo "$0: unknown option $1" >&2; exit 2 ;;
    *) kernels+=("$1"); shift ;;
  esac
done
out=${out:-build/sim${planted:+-planted}${sanitizer:+-$sanitizer}}
((${#kernels[@]})) || kernels=(cuda/kernels/*.cu)
[[ -n $planted ]] && kernels=(cuda/sim/planted/*.cu)

scripts/require.sh g++
headers=build/cuda/headers/nvidia/cuda_runtime/include
[[ -f $headers/cuda.h ]] || { echo "$0: $headers/cuda.h is not there: scripts/cuda/toolkit.sh fetches it" >&2; exit 1; }

flags=(-std=c++17 -O2 -g1 -fPIC -pthread -fvisibility=hidden -fno-strict-aliasing -ffp-contract=off
  -ffile-prefix-map="$PWD=." -Wall -Wextra -Wno-unknown-pragmas -DCUDA_SIM -isystem "$headers" -Icuda/kernels)
case $sanitizer in
  '') link=(-Wl,--no-undefined) ;;
  address) flags+=(-fsanitize=address -fno-omit-frame-pointer -Wno-unused-function) link=(-fsanitize=address) ;;
  thread) flags+=(-DCUDASIM_ACCESSES) link=(-Wl,--no-undefined) ;;
  undefined) flags+=(-fsanitize=undefined -fno-sanitize-recover=undefined) link=(-fsanitize=undefined) ;;
  *) echo "$0: unknown sanitizer $sanitizer" >&2; exit 2 ;;
esac

objects=$out/obj
mkdir -p "$objects"
# The flags are part of what an object depends on.
if [[ $(cat "$objects/flags" 2>/dev/null) != "${flags[*]}" ]]; then
  rm -f "$objects"/*.o
  echo "${flags[*]}" > "$objects/flags"
fi

# What the compiler reports of each kernel, as the simulator reads it: {"name", chip, registers, shared},
report=cuda/kernels/report.txt
[[ -n $planted ]] && report=cuda/sim/planted/report.txt
awk '$1 == "kernel" { for (i = 1; i <= NF; i++) at[$i] = i }
  $1 != "kernel" && $1 != "#" { gsub(/sm_|[af]/, "", $at["chip"])
    printf "{\"%s\", %s, %s, %s},\n", $1, $at["chip"], $at["registers"], $at["shared"] }' "$report" > "$objects/usage.new"
cmp -s "$objects/usage.new" "$objects/usage.inc" || mv "$objects/usage.new" "$objects/usage.inc"

object() { echo "$objects/$(tr / _ <<< "$1").o"; }

# stale SOURCE: the object of SOURCE is missing or older than a file that it was made from.
stale() {
  local o file
  o=$(object "$1")
  [[ -f $o && -f $o.d ]] || return 0
  for file in $(sed -e 's/^[^:]*://' -e 's/\\$//' "$o.d"); do
    [[ $file -nt $o || ! -e $file ]] && return 0
  done
  return 1
}

# Under the address sanitizer a kernel file is compiled inside an unnamed namespace: static variables of templates, and
# with them shared memory, would else be merged over files, and then they get no red zones.
compile() {
  local o source=$1 own=()
  o=$(object "$1")
  if [[ $sanitizer == address && $1 == *.cu ]]; then
    source=$o.cpp
    printf '#include "../sim/tensor.h"\n#include "../sim/asynchronous.h"\n#include "../sim/order.h"\nnamespace {\n#include "%s"\n}\n' "$(realpath "$1")" > "$source"
  fi
  [[ $1 == */module.cpp ]] && own=(-I"$objects")
  [[ $sanitizer == thread && $1 == *.cu ]] && own=(-O1 -fsanitize=thread)
  g++ "${flags[@]}" "${own[@]}" -MD -MF "$o.d" -x c++ -c "$source" -o "$o.new" && mv "$o.new" "$o"
}

driver=()
for f in cuda/sim/*.cpp; do
  case $f in */cublaslt*.cpp | */nccl*.cpp) ;; *) driver+=("$f") ;; esac
done
blas=(cuda/sim/cublaslt*.cpp)
nccl=(cuda/sim/nccl*.cpp)

failed=0 running=0
for f in "${driver[@]}" "${blas[@]}" "${nccl[@]}" "${kernels[@]}"; do
  stale "$f" || continue
  compile "$f" &
  if ((++running >= $(nproc))); then
    wait -n || failed=1
    ((running--))
  fi
done
while ((running > 0)); do
  wait -n || failed=1
  ((running--)) || true
done
((failed == 0)) || exit 1

echo '{ global: cu*; nccl*; local: *; };' > "$objects/exports"

# library NAME LINK-OPTION… SOURCE…: links objects into a shared library unless it is newer than all of them.
library() {
  local name=$1 o members=() options=() newer=
  shift
  for f in "$@"; do
    case $f in
      -*) options+=("$f") ;;
      *) o=$(object "$f"); members+=("$o"); [[ $o -nt $out/$name ]] && newer=1 ;;
    esac
  done
  [[ -z $newer && $(cat "$objects/$name.members" 2>/dev/null) == "${members[*]}" ]] && return
  g++ -shared -pthread "${link[@]}" -Wl,--version-script="$objects/exports" -Wl,-soname,"$name" -o "$out/$name.new" "${members[@]}" "${options[@]}"
  mv "$out/$name.new" "$out/$name"
  echo "${members[*]}" > "$objects/$name.members"
}
library libcuda.so.1 "${driver[@]}" "${kernels[@]}"
uses_driver=(-L"$out" -l:libcuda.so.1 '-Wl,-rpath,$ORIGIN')
library libcublasLt.so.13 "${uses_driver[@]}" "${blas[@]}"
library libnccl.so.2 "${uses_driver[@]}" "${nccl[@]}"
