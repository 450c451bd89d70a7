//go:build gpu

package backend

import (
	"math"

	"gotrain/cuda"
)

// optimizerChunk is the number of elements that a block of optimizer.cu updates.
const optimizerChunk = 4096

// segment is what a kernel of optimizer.cu must know of one parameter.
type segment struct {
	p, g, m, v, hyper, clip cuda.Ptr
}

// words is s as optimizer.cu reads it, with the attributes of its instruction;
// first is the number of its first chunk.
func (s *segment) words(c *call, first int) []uint64 {
	nesterov := uint32(0)
	if c.Nesterov {
		nesterov = 1
	}
	return []uint64{
		uint64(first), uint64(c.In[0].Shape.Size()),
		uint64(s.p), uint64(s.g), uint64(s.m), uint64(s.v), uint64(s.hyper), uint64(s.clip),
		pair(math.Float32bits(c.Beta1), math.Float32bits(c.Beta2)),
		pair(math.Float32bits(c.Eps), math.Float32bits(c.Decay)),
		pair(math.Float32bits(c.LRScale), nesterov),
	}
}

// pair puts two words of 4 bytes into one of 8.
func pair(low, high uint32) uint64 { return uint64(low) | uint64(high)<<32 }

// update starts one kernel for the parameters of all calls.
func update(kernel string, calls []*call, segmentOf func(c *call) segment) func() {
	var words []uint64
	chunks := 0
	for _, c := range calls {
		s := segmentOf(c)
		words = append(words, s.words(c, chunks)...)
		chunks += blocks(c.In[0].Shape.Size(), optimizerChunk)
	}
	c := calls[0]
	return c.launch(kernel, cuda.Dim{X: chunks, Y: 1, Z: 1}, elementBlock, 0, c.table(words), int32(len(calls)))
}

func bindAdamW(calls []*call) func() {
	return update("adamw", calls, func(c *call) segment {
		return segment{p: c.in(0), g: c.in(1), m: c.in(2), v: c.in(3), hyper: c.in(4), clip: c.in(5)}
	})
}

// bindSGD leaves the momentum alone where Beta1 is 0.
func bindSGD(calls []*call) func() {
	return update("sgd", calls, func(c *call) segment {
		s := segment{p: c.in(0), g: c.in(1), m: c.in(2), hyper: c.in(3), clip: c.in(4)}
		if c.Beta1 == 0 {
			s.m = 0
		}
		return s
	})
}

func bindLion(calls []*call) func() {
	return update("lion", calls, func(c *call) segment {
		return segment{p: c.in(0), g: c.in(1), m: c.in(2), hyper: c.in(3), clip: c.in(4)}
	})
}

func bindEMA(calls []*call) func() {
	return update("ema", calls, func(c *call) segment {
		return segment{p: c.in(0), g: c.in(1), clip: c.in(2)}
	})
}
