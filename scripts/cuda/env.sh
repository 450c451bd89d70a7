# Sourced by a shell in the project: what `go build -tags gpu` and `go test -tags gpu` need to find cuda.h and the
# trampolines that scripts/cuda/libraries.sh has put into build/cuda.
_cuda=$(cd "$(go list -m -f '{{.Dir}}')" && mkdir -p build/cuda && cd build/cuda && pwd -P)
export CGO_ENABLED=1
export CGO_CFLAGS="-O2 -g -I$_cuda/headers/nvidia/cuda_runtime/include"
export CGO_LDFLAGS="-L$_cuda/lib"
unset _cuda
