//go:build !mpi || !cgo

package mpi

import (
	"context"
	"errors"

	"example.com/gotrain/train/ranks"
)

// Available tells whether this build has the engine.
const Available = false

// Open fails: this build has no MPI.
func Open(context.Context, Config) (ranks.Group, error) {
	return nil, errors.New("mpi: this gotrain was built without MPI: build it with make build-cluster TAGS=mpi")
}
