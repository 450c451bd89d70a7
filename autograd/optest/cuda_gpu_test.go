//go:build gpu

package optest

import (
	"errors"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	cuda "example.com/gotrain/cuda/backend"
)

// cudaBackends lists the first device: a GPU or the simulator.
func cudaBackends() []backend {
	b, err := cuda.Open(cuda.Config{})
	if err != nil {
		panic(errors.Join(errors.New("the tag gpu wants a device: set LD_LIBRARY_PATH to the simulator's folder"), err))
	}
	kept := keptOpen{b, b.(exec.Recorder), b.(exec.Fuser)}
	return []backend{{"cuda", func(int) (exec.Backend, error) { return kept, nil }, nil}}
}

// keptOpen is one device for all tests.
type keptOpen struct {
	exec.Backend
	exec.Recorder
	exec.Fuser
}

func (keptOpen) Close() error { return nil }

// askedBackends lists the kernels that a configuration has to ask for, where the device
// has them.
func askedBackends() []backend {
	all := cudaBackends()
	for i := range all {
		plain, err := all[i].open(0)
		if err != nil {
			panic(err)
		}
		attender := plain.(keptOpen).Backend.(exec.Attender)
		if attender.UseAttention(cuda.AttentionHopper) != nil {
			return nil // another chip
		}
		if err := attender.UseAttention(cuda.AttentionMMA); err != nil {
			panic(err)
		}
		all[i] = backend{"cuda-hopper", func(int) (exec.Backend, error) { return asking{plain.(keptOpen), attender}, nil },
			func(c *opCase, e elements) bool {
				attrs, ok := c.attrs.(ir.AttentionAttrs)
				return ok && attrs.Drop.P == 0 && c.kind != ir.AttentionCached && e.elem == ir.BF16 && attrs.Sparse.Pattern == ir.Dense && c.in[len(c.in)-1].absent() && (attrs.HeadDim == 64 || attrs.HeadDim == 128)
			}}
	}
	return all
}

// asking binds with the kernels for sm_90a.
type asking struct {
	keptOpen
	attender exec.Attender
}

func (a asking) Bind(in *ir.Instr, args exec.Args) (exec.Launch, error) {
	if err := a.attender.UseAttention(cuda.AttentionHopper); err != nil {
		return nil, err
	}
	launch, err := a.keptOpen.Bind(in, args)
	return launch, errors.Join(err, a.attender.UseAttention(cuda.AttentionMMA))
}
