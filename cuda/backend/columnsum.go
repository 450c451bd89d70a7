//go:build gpu

package backend

import (
	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// sumOfRows starts the ColumnSum that gives a sum of ir.Info.Sums.
func (c *call) sumOfRows(pair [2]int) func() {
	return c.columnSum(rowsOf(c.Instr, pair), c.args.Out[pair[1]], c.args.Out[pair[0]])
}

// columnSum starts a ColumnSum without an addend in the workspace of c.
func (c *call) columnSum(in *ir.Instr, x, y exec.Region) func() {
	sum := &call{Backend: c.Backend, Instr: in, args: exec.Args{In: []exec.Region{x, {}}, Out: []exec.Region{y}, Workspace: c.args.Workspace}}
	run := bindColumnSum(sum)
	c.fail(sum.err)
	return run
}

func bindColumnSum(c *call) func() {
	s := newColumnSum(c.Instr)
	return sequence(
		c.launchElem("columnsum_partial", cuda.Dim{X: s.tiles, Y: s.parts, Z: 1}, cuda.Dim{X: warp, Y: 8, Z: 1}, 0,
			c.in(0), c.scratch(), c.inputRows(), c.inputCols(), int32(s.blockRows)),
		c.sumPartials(c.scratch(), c.in(1), s.parts, int(c.inputCols()), c.out(0)))
}
