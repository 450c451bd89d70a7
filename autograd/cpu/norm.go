package cpu

import "example.com/gotrain/autograd/ir"

func bindLayerNorm(c *call) func() {
	x, w, b := c.x(0), c.x(1), c.x(2)
	y, mean, rstd := c.y(0), c.y(1), c.y(2)
	v, eps, d := c.vec, c.Attrs.(ir.NormAttrs).Eps, len(w)
	return c.split(len(mean), rowGrain(streamGrain, d), func(lo, hi, _ int) {
		v.LayerNorm(y[lo*d:hi*d], mean[lo:hi], rstd[lo:hi], x[lo*d:hi*d], w, b, eps)
	})
}

func bindRMSNorm(c *call) func() {
	x, w := c.x(0), c.x(1)
	y, rstd := c.y(0), c.y(1)
	v, eps, d := c.vec, c.Attrs.(ir.NormAttrs).Eps, len(w)
	return c.split(len(rstd), rowGrain(streamGrain, d), func(lo, hi, _ int) {
		v.RMSNorm(y[lo*d:hi*d], rstd[lo:hi], x[lo*d:hi*d], w, eps)
	})
}

// scratchNormBackward holds the partial sums of dw, (blocks, D), then those of
// db.
func scratchNormBackward(_ *Backend, in *ir.Instr) int {
	n, d := in.In[0].Shape.Rows(), in.In[0].Shape.Cols()
	return 2 * blocks(n, blockRows(n, d)) * d
}

func bindLayerNormBackward(c *call) func() {
	x, w, mean, rstd, dy, addend := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4), c.x(5)
	dx, dw, db := c.y(0), c.y(1), c.y(2)
	v, n, d := c.vec, len(rstd), len(w)
	size := blockRows(n, d)
	half := blocks(n, size) * d
	partW, partB := c.scratch()[:half], c.scratch()[half:2*half]
	rows := c.split(n, size, func(lo, hi, _ int) {
		pw, pb := partW[lo/size*d:][:d], partB[lo/size*d:][:d]
		clear(pw)
		clear(pb)
		v.LayerNormBackward(dx[lo*d:hi*d], pw, pb, x[lo*d:hi*d], w, mean[lo:hi], rstd[lo:hi], dy[lo*d:hi*d], part(addend, lo*d, hi*d))
	})
	return func() {
		rows()
		v.ColumnSum(dw, partW, false)
		if db != nil {
			v.ColumnSum(db, partB, false)
		}
	}
}

func bindRMSNormBackward(c *call) func() {
	x, w, rstd, dy, addend := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4)
	dx, dw := c.y(0), c.y(1)
	v, n, d := c.vec, len(rstd), len(w)
	size := blockRows(n, d)
	partW := c.scratch()[:blocks(n, size)*d]
	rows := c.split(n, size, func(lo, hi, _ int) {
		pw := partW[lo/size*d:][:d]
		clear(pw)
		v.RMSNormBackward(dx[lo*d:hi*d], pw, x[lo*d:hi*d], w, rstd[lo:hi], dy[lo*d:hi*d], part(addend, lo*d, hi*d))
	})
	return func() {
		rows()
		v.ColumnSum(dw, partW, false)
	}
}

// part returns x[lo:hi], nil where x is absent.
func part(x []float32, lo, hi int) []float32 {
	if x == nil {
		return nil
	}
	return x[lo:hi]
}
