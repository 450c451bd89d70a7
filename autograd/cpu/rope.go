package cpu

import "example.com/gotrain/autograd/ir"

func bindRoPE(c *call) func() {
	x, table, positions, y := c.x(0), c.x(1), c.ids(2), c.y(0)
	a := c.Attrs.(ir.RoPEAttrs)
	heads, hd, length := a.Heads, a.HeadDim, c.In[1].Shape[0]
	rotate := c.vec.RoPE
	if a.Inverse {
		rotate = c.vec.RoPEInverse
	}
	rows := c.split(len(positions), rowGrain(streamGrain, heads*hd), func(lo, hi, _ int) {
		for n := lo; n < hi; n++ {
			angles := table[int(positions[n])*hd:][:hd]
			for h := n * heads; h < (n+1)*heads; h++ {
				rotate(y[h*hd:][:hd], x[h*hd:][:hd], angles[:hd/2], angles[hd/2:])
			}
		}
	})
	return func() {
		if c.checkIndices("position", positions, length, false) {
			rows()
		}
	}
}
