#!/bin/sh
# Compares cuda/abi/*.h with NVIDIA's own headers: the value of every enumerator, the size and the offsets of every
# structure, and every prototype (C refuses a second declaration that differs).
#
#   scripts/cuda/check_abi.sh cublaslt INCLUDE...    # folders that hold cublasLt.h and cuda_runtime.h
#   scripts/cuda/check_abi.sh nccl INCLUDE...        # folders that hold nccl.h and cuda_runtime.h
#
# cuda_runtime.h includes crt/host_config.h, of the package nvidia-cuda-crt: scripts/cuda/toolkit.sh toolkit fetches both
# into build/cuda/toolkit/nvidia/cu13/include. cublasLt.h is in nvidia-cublas, nccl.h in nvidia-nccl-cu13.
set -eu
cd "$(dirname "$0")/../.."

usage() {
  sed -n '5,6s/^# *//p' "$0" >&2
  exit 2
}

[ $# -ge 2 ] || usage
library=$1
shift
case $library in
  cublaslt)
    header=cublasLt.h
    types='cublasLtMatmulAlgo_t cublasLtMatmulHeuristicResult_t'
    fields='cublasLtMatmulHeuristicResult_t:workspaceSize cublasLtMatmulHeuristicResult_t:state'
    handles='cublasLtHandle_t cublasLtMatmulDesc_t cublasLtMatrixLayout_t cublasLtMatmulPreference_t cudaStream_t'
    enums='cudaDataType cublasStatus_t cublasOperation_t cublasComputeType_t cublasLtMatmulDescAttributes_t
      cublasLtEpilogue_t cublasLtMatrixLayoutAttribute_t cublasLtMatmulPreferenceAttributes_t
      cublasLtReductionScheme_t'
    ;;
  nccl)
    header=nccl.h
    types=ncclUniqueId
    fields=ncclUniqueId:internal
    handles='ncclComm_t cudaStream_t'
    enums='ncclResult_t ncclRedOp_t ncclDataType_t'
    ;;
  *) usage ;;
esac
includes=
for folder; do
  includes="$includes -I$folder"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ours=cuda/abi/$library.h

# What our header says, printed as assertions by a program that includes it alone.
{
  printf '#include <stdio.h>\n#include "%s/%s"\n' "$PWD" "$ours"
  printf '#define VALUE(x) printf("_Static_assert(%%s == %%lld, \\"%%s\\");\\n", #x, (long long)(x), #x)\n'
  printf 'int main(void) {\n'
  sed -n 's/^  \([A-Za-z0-9_]*\) = [0-9]*,.*/  VALUE(\1);/p' "$ours"
  for t in $types $handles $enums; do
    printf '  VALUE(sizeof(%s));\n' "$t"
  done
  for f in $fields; do
    printf '  VALUE(offsetof(%s, %s));\n' "${f%:*}" "${f#*:}"
  done
  printf '}\n'
} >"$work/print.c"
gcc -std=c11 -o "$work/print" "$work/print.c"

# The same held against the vendor's header, with our prototypes declared a second time.
{
  printf '#include <stddef.h>\n#include <%s>\n#define ABI_PROTOTYPES_ONLY\n#include "%s/%s"\n' "$header" "$PWD" "$ours"
  "$work/print"
} >"$work/check.c"
# shellcheck disable=SC2086
gcc -std=c11 -fsyntax-only -Werror $includes "$work/check.c"
echo "$ours: $(grep -c _Static_assert "$work/check.c") values and $(grep -c '^[a-z].*(' "$ours") prototypes agree with $header"
