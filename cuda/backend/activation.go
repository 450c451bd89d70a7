//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

func bindActivation(c *call) func() {
	return c.mapElements("activation", []cuda.Ptr{c.in(0), c.out(0)}, int32(c.Attrs.(ir.ActivationAttrs).Act))
}

func bindActivationBackward(c *call) func() {
	return c.mapElements("activation_backward", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}, int32(c.Attrs.(ir.ActivationAttrs).Act))
}

func bindSwiGLU(c *call) func() {
	return c.mapElements("swiglu", []cuda.Ptr{c.in(0), c.in(1), c.out(0)})
}

func bindSwiGLUBackward(c *call) func() {
	return c.mapElements("swiglu_backward", []cuda.Ptr{c.in(0), c.in(1), c.in(2), c.out(0), c.out(1)})
}
