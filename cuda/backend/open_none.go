//go:build !gpu

package backend

import "gotrain/autograd/exec"

// Open returns ErrNotBuilt.
func Open(int) (exec.Backend, error) { return nil, ErrNotBuilt }

// CardAt returns ErrNotBuilt.
func CardAt(int) (Card, error) { return Card{}, ErrNotBuilt }
