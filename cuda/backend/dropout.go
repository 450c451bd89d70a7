//go:build gpu

package backend

import (
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// bindDropout keeps element e, counted from row 0 of the run, where word e mod 4
// of its block of Philox is at least P·2³².
func bindDropout(c *call) func() {
	shape := c.Out[0].Shape
	a := c.Attrs.(ir.DropoutAttrs)
	threshold := uint32(math.Round(float64(a.P) * (1 << 32)))
	return c.mapElements("dropout", []cuda.Ptr{c.in(0), c.in(1), c.out(0)}, int32(shape.Size()/shape[0]), int32(threshold), 1/(1-a.P), int32(a.Site))
}
