//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// mapElements starts a kernel that maps the n elements of the arguments pointers,
// its first parameters, followed by n and rest.
func (c *call) mapElements(name string, pointers []cuda.Ptr, rest ...any) func() {
	n := int64(c.Out[0].Shape.Size())
	var args []any
	for _, p := range pointers {
		args = append(args, p)
	}
	return c.launchElem(name, elementGrid(n), elementBlock, 0, append(append(args, n), rest...)...)
}

func bindAdd(c *call) func() { return c.mapElements("add", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}) }

func bindMul(c *call) func() { return c.mapElements("mul", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}) }

func bindScale(c *call) func() { return c.scale(c.Attrs.(ir.ScaleAttrs).Alpha) }

func (c *call) scale(alpha float32) func() {
	if alpha == 1 {
		return c.copy(c.out(0), c.in(0), c.Out[0].Bytes())
	}
	return c.mapElements("scale", []cuda.Ptr{c.in(0), c.out(0)}, alpha)
}

func bindScaleBy(c *call) func() {
	return c.mapElements("scale_by", []cuda.Ptr{c.in(0), c.in(1), c.out(0)})
}

// bindReshape runs nothing: the result has the storage of x.
func bindReshape(*call) func() { return func() {} }

// copy returns the closure that copies contiguous memory of the device.
func (c *call) copy(to, from cuda.Ptr, bytes int64) func() {
	if to == from {
		return func() {}
	}
	b := c.Backend
	return func() { b.do(b.stream.Copy(to, from, bytes)) }
}
