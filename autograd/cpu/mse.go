package cpu

import "example.com/gotrain/autograd/ir"

// mseBlock is the number of elements whose squares make one partial sum, and
// mseChunk that of the differences that a thread holds at a time.
const (
	mseBlock = 64 << 10
	mseChunk = 1 << 10
)

// scratchMSE holds the partial sums, then a chunk of differences for each thread.
func scratchMSE(b *Backend, in *ir.Instr) int {
	return blocks(in.In[0].Shape.Size(), mseBlock) + b.pool.Threads()*mseChunk
}

func bindMSE(c *call) func() {
	v, x, target, loss := c.vec, c.x(0), c.x(1), c.y(0)
	n := blocks(len(x), mseBlock)
	partial, chunks := c.scratch()[:n], c.scratch()[n:]
	sum := c.split(len(x), mseBlock, func(lo, hi, worker int) {
		var s float64
		for i := lo; i < hi; i += mseChunk {
			end := min(i+mseChunk, hi)
			d := chunks[worker*mseChunk:][:end-i]
			v.Sub(d, x[i:end], target[i:end])
			s += v.SumSquares(d)
		}
		partial[lo/mseBlock] = float32(s)
	})
	return func() {
		sum()
		loss[0] = float32(v.Sum(partial) / float64(len(x)))
	}
}

func bindMSEBackward(c *call) func() {
	v, x, target, dloss, dx := c.vec, c.x(0), c.x(1), c.x(2), c.y(0)
	return c.split(len(x), streamGrain, func(lo, hi, _ int) {
		v.Sub(dx[lo:hi], x[lo:hi], target[lo:hi])
		v.Scale(dx[lo:hi], dx[lo:hi], 2/float32(len(x))*dloss[0])
	})
}
