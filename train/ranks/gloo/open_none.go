//go:build !gloo || !cgo

package gloo

import (
	"context"
	"errors"

	"example.com/gotrain/train/ranks"
)

// Available tells whether this build has the engine.
const Available = false

// Open fails: this build has no Gloo.
func Open(context.Context, Config) (ranks.Group, error) {
	return nil, errors.New("gloo: this gotrain was built without Gloo: build it with make build-cluster")
}
