package cpu

func bindSoftmax(c *call) func() {
	v, x, y := c.vec, c.x(0), c.y(0)
	n, d := c.In[0].Shape.Rows(), c.In[0].Shape.Cols()
	return c.split(n, rowGrain(mathGrain, d), func(lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			v.Softmax(y[r*d:][:d], x[r*d:][:d], 1)
		}
	})
}

func bindSoftmaxBackward(c *call) func() {
	v, y, dy, dx := c.vec, c.x(0), c.x(1), c.y(0)
	n, d := c.In[0].Shape.Rows(), c.In[0].Shape.Cols()
	return c.split(n, rowGrain(streamGrain, d), func(lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			v.SoftmaxBackward(dx[r*d:][:d], y[r*d:][:d], dy[r*d:][:d], 1)
		}
	})
}
