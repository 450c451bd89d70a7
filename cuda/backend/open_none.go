//go:build !gpu

package backend

import (
	"errors"

	"example.com/gotrain/autograd/exec"
)

// Open returns ErrNotBuilt.
func Open(Config) (exec.Backend, error) { return nil, ErrNotBuilt }

// Absent tells whether err says that there is no GPU to open.
func Absent(err error) bool { return errors.Is(err, ErrNotBuilt) }

// Count returns ErrNotBuilt.
func Count() (int, error) { return 0, ErrNotBuilt }

// CardAt returns ErrNotBuilt.
func CardAt(int) (Card, error) { return Card{}, ErrNotBuilt }
