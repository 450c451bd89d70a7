package backend

import (
	"errors"
	"time"

	"example.com/gotrain/cuda"
)

// ErrNotBuilt is the error of Open in a binary without CUDA.
var ErrNotBuilt = errors.New("this binary was built for the CPU; make build-cuda builds one for NVIDIA GPUs")

// Config says where a Backend computes, and with whom.
type Config struct {
	Device int // counted from 0
	// Comm computes the collectives of plans, nil for a process that is alone. It is
	// of the same device, and closed after the Backend.
	Comm *cuda.Comm
	// Wait, unless nil, has to call wait, which returns when the collectives of this
	// and the other ranks are done, and how long this one computed before the first.
	Wait func(wait func() (computed time.Duration, err error)) error
}
