//go:build !gpu

package nccl

import (
	"context"
	"errors"
)

// Version fails: this build has no NCCL.
func Version() (string, error) { return "", errNotBuilt }

// Open fails: this build has no NCCL.
func Open(context.Context, Config) (Group, error) { return nil, errNotBuilt }

var errNotBuilt = errors.New("nccl: this gotrain was built for the CPU: make build-cuda builds one for NVIDIA GPUs")
