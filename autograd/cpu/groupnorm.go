package cpu

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

// groupNorm is a GroupNorm or its gradient. A picture is cut into blocks of pixels that
// stay in the L2 cache; each gives sums by channel, and those are put together in the
// order of blocks.
type groupNorm struct {
	ir.GroupNormAttrs
	pixels, channels int // of a picture
	size, blocks     int // pixels of a block, blocks of a picture
}

func groupNormOf(in *ir.Instr) *groupNorm {
	a, x := in.Attrs.(ir.GroupNormAttrs), in.In[0].Shape
	g := &groupNorm{GroupNormAttrs: a, pixels: x.Rows() / a.Batch, channels: x.Cols()}
	g.size = min(g.pixels, rowGrain(streamGrain, g.channels))
	g.blocks = blocks(g.pixels, g.size)
	return g
}

// each returns the closure that calls body for the elements of each block of each picture
// in parallel.
func (g *groupNorm) each(c *call, body func(picture, block, lo, hi, worker int)) func() {
	return c.each(g.Batch*g.blocks, g.Batch*g.pixels*g.channels, func(task, worker int) {
		picture, block := task/g.blocks, task%g.blocks
		first := picture*g.pixels + block*g.size
		end := min(first+g.size, (picture+1)*g.pixels)
		body(picture, block, first*g.channels, end*g.channels, worker)
	})
}

// groupNormSpace is the workspace: for each block two rows of sums by channel, for each
// picture rows of channels, for each worker two blocks.
type groupNormSpace struct {
	sums     []float32 // (pictures, blocks, 2, channels)
	channels []float32 // (pictures, rows, channels)
	blocks   []float32 // (workers, 2, size·channels)
}

func (g *groupNorm) space(r *room, rows, workers int) groupNormSpace {
	return groupNormSpace{
		r.take(g.Batch * g.blocks * 2 * g.channels), r.take(g.Batch * rows * g.channels), r.take(workers * 2 * g.size * g.channels),
	}
}

// Rows of channels: of the forward pass scale and shift, of the backward pass those of the
// result, of n = (x - mean)·rstd and of dx beside dy's part.
const (
	forwardRows  = 2
	backwardRows = 6
)

func scratchGroupNorm(b *Backend, in *ir.Instr) int {
	var r room
	groupNormOf(in).space(&r, forwardRows, b.pool.Threads())
	return r.used
}

func scratchGroupNormBackward(b *Backend, in *ir.Instr) int {
	var r room
	groupNormOf(in).space(&r, backwardRows, b.pool.Threads())
	return r.used
}

// sumsOf returns the two rows of sums of a block.
func (g *groupNorm) sumsOf(s groupNormSpace, picture, block int) (first, second []float32) {
	at := s.sums[(picture*g.blocks+block)*2*g.channels:]
	return at[:g.channels:g.channels], at[g.channels:][:g.channels]
}

// row returns row i of the channels of a picture, of which there are rows.
func (g *groupNorm) row(s groupNormSpace, picture, rows, i int) []float32 {
	return s.channels[(picture*rows+i)*g.channels:][:g.channels]
}

// work returns the two blocks of a worker, of n elements.
func (g *groupNorm) work(s groupNormSpace, worker, n int) (first, second []float32) {
	size := g.size * g.channels
	return s.blocks[2*worker*size:][:n], s.blocks[(2*worker+1)*size:][:n]
}

func bindGroupNorm(c *call) func() {
	g := groupNormOf(c.Instr)
	x, w, b, y, mean, rstd := c.x(0), c.x(1), c.x(2), c.y(0), c.y(1), c.y(2)
	space := g.space(&room{data: c.scratch()}, forwardRows, c.pool.Threads())
	v := c.vec
	forward, _ := activation(v, g.Act)
	// Means of a block, and squares of the distances from them.
	measure := g.each(c, func(picture, block, lo, hi, worker int) {
		means, squares := g.sumsOf(space, picture, block)
		apart, _ := g.work(space, worker, hi-lo)
		v.ColumnSum(means, x[lo:hi], false)
		v.Scale(means, means, -float32(g.channels)/float32(hi-lo))
		v.AddBias(apart, x[lo:hi], means)
		v.Mul(apart, apart, apart)
		v.ColumnSum(squares, apart, false)
	})
	normalize := g.each(c, func(picture, _, lo, hi, _ int) {
		v.Affine(y[lo:hi], x[lo:hi], g.row(space, picture, forwardRows, 0), g.row(space, picture, forwardRows, 1))
		if g.Act != ir.NoAct {
			forward(y[lo:hi], y[lo:hi])
		}
	})
	return func() {
		measure()
		for picture := range g.Batch {
			g.combine(space, picture, mean[picture*g.Groups:], rstd[picture*g.Groups:])
			g.scales(g.row(space, picture, forwardRows, 0), g.row(space, picture, forwardRows, 1), w, b, mean[picture*g.Groups:], rstd[picture*g.Groups:])
		}
		normalize()
	}
}

// combine makes the statistics of a picture's groups of those of blocks and channels
// (Chan et al. 1983). A block's means are negative.
func (g *groupNorm) combine(s groupNormSpace, picture int, mean, rstd []float32) {
	each := g.channels / g.Groups
	n := float64(g.pixels * each)
	for group := range g.Groups {
		var sum float64
		for block := range g.blocks {
			means, _ := g.sumsOf(s, picture, block)
			for _, m := range means[group*each:][:each] {
				sum -= float64(m) * g.pixelsOf(block)
			}
		}
		mu, squares := sum/n, 0.0
		for block := range g.blocks {
			means, apart := g.sumsOf(s, picture, block)
			for i, m := range means[group*each:][:each] {
				d := -float64(m) - mu
				squares += float64(apart[group*each+i]) + d*d*g.pixelsOf(block)
			}
		}
		mean[group], rstd[group] = float32(mu), float32(1/math.Sqrt(squares/n+float64(g.Eps)))
	}
}

// pixelsOf is the number of pixels of a block.
func (g *groupNorm) pixelsOf(block int) float64 {
	return float64(min(g.size, g.pixels-block*g.size))
}

// scales makes of a picture's statistics the scale and the shift of each channel.
func (g *groupNorm) scales(scale, shift, w, b, mean, rstd []float32) {
	for i := range scale {
		group := i * g.Groups / g.channels
		scale[i] = rstd[group] * w[i]
		shift[i] = b[i] - mean[group]*scale[i]
	}
}

func bindGroupNormBackward(c *call) func() {
	g := groupNormOf(c.Instr)
	x, w, b, mean, rstd, dy, addend := c.x(0), c.x(1), c.x(2), c.x(3), c.x(4), c.x(5), c.x(6)
	dx, dw, db := c.y(0), c.y(1), c.y(2)
	space := g.space(&room{data: c.scratch()}, backwardRows, c.pool.Threads())
	v := c.vec
	_, backward := activation(v, g.Act)
	row := func(picture, i int) []float32 { return g.row(space, picture, backwardRows, i) }
	// before writes dy·Act'(…) of a block to dz; z is overwritten.
	before := func(dz, z []float32, picture, lo, hi int) {
		if g.Act == ir.NoAct {
			copy(dz, dy[lo:hi])
			return
		}
		v.Affine(z, x[lo:hi], row(picture, 0), row(picture, 1))
		backward(dz, z, dy[lo:hi])
	}
	measure := g.each(c, func(picture, block, lo, hi, worker int) {
		pw, pb := g.sumsOf(space, picture, block)
		clear(pw)
		clear(pb)
		dz, n := g.work(space, worker, hi-lo)
		before(dz, n, picture, lo, hi)
		v.Affine(n, x[lo:hi], row(picture, 2), row(picture, 3))
		v.AffineBackward(pw, pb, n, dz)
	})
	finish := g.each(c, func(picture, _, lo, hi, worker int) {
		dz, beside := g.work(space, worker, hi-lo)
		before(dz, beside, picture, lo, hi)
		v.Affine(dz, dz, row(picture, 0), nil)
		v.Affine(beside, x[lo:hi], row(picture, 4), row(picture, 5))
		if addend != nil {
			v.Add(beside, beside, addend[lo:hi])
		}
		v.Add(dx[lo:hi], dz, beside)
	})
	return func() {
		for picture := range g.Batch {
			mean, rstd := mean[picture*g.Groups:], rstd[picture*g.Groups:]
			g.scales(row(picture, 0), row(picture, 1), w, b, mean, rstd)
			for i := range g.channels {
				group := i * g.Groups / g.channels
				row(picture, 2)[i], row(picture, 3)[i] = rstd[group], -mean[group]*rstd[group]
			}
		}
		measure()
		clear(dw)
		clear(db)
		for picture := range g.Batch {
			g.gradients(space, picture, w, dw, db)
		}
		finish()
	}
}

// gradients adds a picture's part of dw and db, and makes rows 4 and 5, what dx has beside
// dy's part, -rstd·(Σg + n·Σ(g·n))/size over the group, a multiple of x and a constant by
// channel. It leaves a picture's sums in its first block.
func (g *groupNorm) gradients(s groupNormSpace, picture int, w, dw, db []float32) {
	sumW, sumB := g.sumsOf(s, picture, 0)
	for block := 1; block < g.blocks; block++ {
		pw, pb := g.sumsOf(s, picture, block)
		for i := range sumW {
			sumW[i] += pw[i]
			sumB[i] += pb[i]
		}
	}
	each := g.channels / g.Groups
	size := float64(g.pixels * each)
	row := func(i int) []float32 { return g.row(s, picture, backwardRows, i) }
	for first := 0; first < g.channels; first += each {
		var plain, normal float64
		for i := first; i < first+each; i++ {
			plain += float64(w[i]) * float64(sumB[i]) / size
			normal += float64(w[i]) * float64(sumW[i]) / size
			dw[i] += sumW[i]
			db[i] += sumB[i]
		}
		for i := first; i < first+each; i++ {
			rs, shift := float64(row(2)[i]), float64(row(3)[i])
			row(4)[i] = float32(-rs * normal * rs)
			row(5)[i] = float32(-rs * (plain + normal*shift))
		}
	}
}
