//go:build gpu

package optest

import (
	"errors"

	"example.com/gotrain/autograd/exec"
	cuda "example.com/gotrain/cuda/backend"
)

// cudaBackends lists the first device: a GPU or the simulator.
func cudaBackends() []backend {
	b, err := cuda.Open(cuda.Config{})
	if err != nil {
		panic(errors.Join(errors.New("the tag gpu wants a device: set LD_LIBRARY_PATH to the simulator's folder"), err))
	}
	kept := keptOpen{b, b.(exec.Recorder), b.(exec.Fuser)}
	return []backend{{"cuda", func(int) (exec.Backend, error) { return kept, nil }}}
}

// keptOpen is one device for all tests.
type keptOpen struct {
	exec.Backend
	exec.Recorder
	exec.Fuser
}

func (keptOpen) Close() error { return nil }
