//go:build gpu

package backend

import (
	"math"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// optimizerChunk is the number of elements that a block of optimizer.cu updates.
const optimizerChunk = 4096

// segment is what a kernel of optimizer.cu must know of one parameter: what it
// does not read is 0.
type segment struct {
	p, g, m, v, hyper, clip, copy     cuda.Ptr
	beta1, beta2, eps, decay, lrScale float32
	nesterov                          bool
}

// words is s as optimizer.cu reads it, for size elements; first is the number of
// its first chunk.
func (s *segment) words(size, first int) []uint64 {
	return []uint64{
		uint64(first), uint64(size),
		uint64(s.p), uint64(s.g), uint64(s.m), uint64(s.v), uint64(s.hyper), uint64(s.clip), uint64(s.copy),
		pair(math.Float32bits(s.beta1), math.Float32bits(s.beta2)),
		pair(math.Float32bits(s.eps), math.Float32bits(s.decay)),
		pair(math.Float32bits(s.lrScale), uint32(flag(s.nesterov))),
	}
}

// pair puts two words of 4 bytes into one of 8.
func pair(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }

// update starts one kernel for the parameters of all calls.
func update(kernel string, calls []*call, segmentOf func(c *call) segment) func() {
	var words []uint64
	chunks := 0
	for _, c := range calls {
		s, size := segmentOf(c), c.In[0].Shape.Size()
		s.copy = c.copied()
		words = append(words, s.words(size, chunks)...)
		chunks += blocks(size, optimizerChunk)
	}
	c := calls[0]
	return c.launch(kernel, cuda.Dim{X: chunks, Y: 1, Z: 1}, elementBlock, 0, c.table(words), int32(len(calls)))
}

// copied is the address of the copy of the parameter, 0 where the update has none.
func (c *call) copied() cuda.Ptr {
	if position := ir.Kinds[c.Kind].Copy; position > 0 {
		return c.in(position)
	}
	return 0
}

func bindAdamW(calls []*call) func() {
	return update("adamw", calls, func(c *call) segment {
		a := c.Attrs.(ir.AdamWAttrs)
		return segment{p: c.in(0), g: c.in(1), m: c.in(2), v: c.in(3), hyper: c.in(4), clip: c.in(5),
			beta1: a.Beta1, beta2: a.Beta2, eps: a.Eps, decay: a.Decay, lrScale: a.LRScale}
	})
}

// bindSGD leaves the momentum alone where Beta1 is 0.
func bindSGD(calls []*call) func() {
	return update("sgd", calls, func(c *call) segment {
		a := c.Attrs.(ir.SGDAttrs)
		s := segment{p: c.in(0), g: c.in(1), m: c.in(2), hyper: c.in(3), clip: c.in(4),
			beta1: a.Beta1, decay: a.Decay, lrScale: a.LRScale, nesterov: a.Nesterov}
		if a.Beta1 == 0 {
			s.m = 0
		}
		return s
	})
}

func bindLion(calls []*call) func() {
	return update("lion", calls, func(c *call) segment {
		a := c.Attrs.(ir.LionAttrs)
		return segment{p: c.in(0), g: c.in(1), m: c.in(2), hyper: c.in(3), clip: c.in(4),
			beta1: a.Beta1, beta2: a.Beta2, decay: a.Decay, lrScale: a.LRScale}
	})
}

func bindEMA(calls []*call) func() {
	return update("ema", calls, func(c *call) segment {
		return segment{p: c.in(0), g: c.in(1), clip: c.in(2), beta1: c.Attrs.(ir.EMAAttrs).Beta1}
	})
}
