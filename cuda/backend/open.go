package backend

import "errors"

// ErrNotBuilt is the error of Open in a binary without CUDA.
var ErrNotBuilt = errors.New("this binary was built for the CPU; make build-cuda builds one for NVIDIA GPUs")
