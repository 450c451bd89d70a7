//go:build gpu

package backend

import "example.com/gotrain/cuda"

func bindColumnSum(c *call) func() {
	s := newColumnSum(c.Instr)
	return sequence(
		c.launchElem("columnsum_partial", cuda.Dim{X: s.tiles, Y: s.parts, Z: 1}, cuda.Dim{X: warp, Y: 8, Z: 1}, 0,
			c.in(0), c.scratch(), c.inputRows(), c.inputCols(), int32(s.blockRows)),
		c.sumPartials(c.scratch(), c.in(1), c.out(0), 0, s.parts))
}
