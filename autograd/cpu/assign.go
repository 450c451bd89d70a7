package cpu

// bindAssign copies what is finite.
func bindAssign(c *call) func() {
	state, x := c.x(0), c.x(1)
	return c.split(len(state), streamGrain, func(lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			if d := x[i] - x[i]; d == 0 { // NaN otherwise
				state[i] = x[i]
			}
		}
	})
}
