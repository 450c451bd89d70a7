package cpu

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func bindScaleColumns(c *call) func() {
	v, y, x, s, b := c.vec, c.y(0), c.x(0), c.x(1), c.x(2)
	d := len(s)
	return c.split(len(y)/d, rowGrain(streamGrain, d), func(lo, hi, _ int) {
		for row := lo; row < hi; row++ {
			z := y[row*d:][:d]
			v.Mul(z, x[row*d:][:d], s)
			if b != nil {
				v.Add(z, z, b)
			}
		}
	})
}

// normTile is how many columns of weights that are stored (in, out) a task takes.
const normTile = 64

// scratchInverseNorms holds a row of changed weights for each thread; of weights that are
// stored (in, out), part of a row, its sums of squares, and b transposed for all.
func scratchInverseNorms(b *Backend, in *ir.Instr) int {
	a := in.Attrs.(ir.InverseNormsAttrs)
	out, r := in.In[2].Shape[0], in.In[2].Shape[1]
	if !a.InOut {
		return b.Threads() * aligned(in.In[1].Shape.Cols())
	}
	return aligned(out*r) + b.Threads()*2*aligned(normTile)
}

func bindInverseNorms(c *call) func() {
	attrs := c.Attrs.(ir.InverseNormsAttrs)
	a, b, y := c.x(0), c.x(2), c.y(0)
	rank, in := c.In[0].Shape[0], c.In[0].Shape[1]
	floats, read := c.weight(1)
	width := c.In[1].Shape.Cols()
	load := func(dst []float32, row, col int) {
		if read != nil {
			read(dst, row, 1, col, len(dst))
			return
		}
		copy(dst, floats[row*width+col:])
	}
	v := c.vec
	if !attrs.InOut {
		size := aligned(in)
		return c.split(len(y), rowGrain(mathGrain, in*rank), func(lo, hi, worker int) {
			w := c.scratch()[worker*size:][:in]
			for o := lo; o < hi; o++ {
				load(w, o, 0)
				for k := range rank {
					v.AXPY(w, attrs.Scale*b[o*rank+k], a[k*in:][:in])
				}
				y[o] = inverseNorm(v.SumSquares(w))
			}
		})
	}
	out := len(y)
	columns, size := c.scratch()[:out*rank], aligned(normTile)
	rows := c.split(out, normTile, func(lo, hi, worker int) {
		part := c.scratch()[aligned(out*rank)+worker*2*size:]
		w, sum := part[:hi-lo], part[size:][:hi-lo]
		clear(sum)
		for i := range in {
			load(w, i, lo)
			for k := range rank {
				v.AXPY(w, attrs.Scale*a[k*in+i], columns[k*out+lo:][:hi-lo])
			}
			v.Mul(w, w, w)
			v.Add(sum, sum, w)
		}
		for i, s := range sum {
			y[lo+i] = inverseNorm(float64(s))
		}
	})
	return func() {
		for o := range out {
			for k := range rank {
				columns[k*out+o] = b[o*rank+k]
			}
		}
		rows()
	}
}

// inverseNorm is 1/√squares, and 0 where that is infinite.
func inverseNorm(squares float64) float32 {
	if squares == 0 {
		return 0
	}
	return float32(1 / math.Sqrt(squares))
}
