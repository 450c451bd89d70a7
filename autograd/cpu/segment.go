package cpu

import "example.com/gotrain/autograd/ir"

// scratchSegmentSum holds the sums in float64.
func scratchSegmentSum(_ *Backend, in *ir.Instr) int { return 2 * in.Out[0].Shape[0] }

func bindSegmentSum(c *call) func() {
	x, segments, y := c.x(0), c.ids(1), c.y(0)
	sums := view[float64](c.args.Workspace)[:len(y)]
	return func() {
		if !c.checkIndices("segment", segments, len(y), true) {
			return
		}
		clear(sums)
		for n, s := range segments {
			if s >= 0 {
				sums[s] += float64(x[n])
			}
		}
		for s, sum := range sums {
			y[s] = float32(sum)
		}
	}
}

func bindSegmentBroadcast(c *call) func() {
	x, segments, y := c.x(0), c.ids(1), c.y(0)
	return func() {
		if !c.checkIndices("segment", segments, len(x), true) {
			return
		}
		for n, s := range segments {
			y[n] = 0
			if s >= 0 {
				y[n] = x[s]
			}
		}
	}
}
