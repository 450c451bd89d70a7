//go:build !gpu

package backend

import "gotrain/autograd/exec"

// Built tells whether this binary has CUDA.
const Built = false

// Open returns ErrNotBuilt.
func Open(int) (exec.Backend, error) { return nil, ErrNotBuilt }
