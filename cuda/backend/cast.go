//go:build gpu

package backend

import (
	"fmt"

	"example.com/gotrain/autograd/exec"
	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// castChunk is the number of elements that a block of cast.cu casts.
const castChunk = 8192

// bindCast casts tensors that do not depend on each other, as the weights of a
// model, in one launch.
func bindCast(calls []*call) func() {
	var launches []func()
	for len(calls) > 0 {
		n := independent(calls)
		launches = append(launches, castAll(calls[:n]))
		calls = calls[n:]
	}
	return sequence(launches...)
}

// independent returns how many of the casts can run at the same time: up to one
// that reads what another writes, or writes what another reads or writes.
func independent(calls []*call) int {
	for n, c := range calls {
		x, y := c.args.In[0], c.args.Out[0]
		for _, before := range calls[:n] {
			px, py := before.args.In[0], before.args.Out[0]
			if overlap(x, py) || overlap(y, px) || overlap(y, py) {
				return n
			}
		}
	}
	return len(calls)
}

// overlap tells whether two regions share memory.
func overlap(a, b exec.Region) bool {
	return a.Buffer == b.Buffer && a.Offset < b.Offset+b.Bytes && b.Offset < a.Offset+a.Bytes
}

func castAll(calls []*call) func() {
	var words []uint64
	chunks := 0
	for _, c := range calls {
		x, y := c.In[0], c.Out[0]
		if (x.DType == ir.BF16) == (y.DType == ir.BF16) {
			c.fail(fmt.Errorf("cuda: no kernel casts %s to %s", x.DType, y.DType))
		}
		toBF16 := uint64(0)
		if y.DType == ir.BF16 {
			toBF16 = 1
		}
		words = append(words, uint64(chunks), uint64(y.Shape.Size()), uint64(c.in(0)), uint64(c.out(0)), toBF16)
		chunks += blocks(y.Shape.Size(), castChunk)
	}
	c := calls[0]
	return c.launch("cast", cuda.Dim{X: chunks, Y: 1, Z: 1}, elementBlock, 0, c.table(words), int32(len(calls)))
}
