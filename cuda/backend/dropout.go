//go:build gpu

package backend

import (
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// dropBelow is the word of Philox below which an element is dropped.
func dropBelow(p float32) uint32 { return uint32(math.Round(float64(p) * (1 << 32))) }

// bindDropout keeps element e, counted from row 0 of the run, where word e mod 4
// of its block of Philox is at least P·2³².
func bindDropout(c *call) func() {
	shape := c.Out[0].Shape
	a := c.Attrs.(ir.DropoutAttrs)
	return c.mapElements("dropout", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}, int32(shape.Size()/shape[0]), int32(dropBelow(a.P)), 1/(1-a.P), int32(a.Site))
}
