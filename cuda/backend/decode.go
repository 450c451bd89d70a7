//go:build gpu

package backend

import (
	"math"
	"strings"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/quant"
	"example.com/gotrain/cuda"
)

// weight returns where input 1, a weight, is read: in memory, or decoded in the workspace.
func (c *call) weight() cuda.Ptr {
	if decodes(c.Instr) {
		return c.scratch() + cuda.Ptr(decodedAt(c.Instr))
	}
	return c.in(1)
}

// decoded returns run behind what decodes the weight that it reads, if that has to be.
func (c *call) decoded(run func()) func() {
	if !decodes(c.Instr) {
		return run
	}
	w := c.In[1]
	n := int64(w.Shape.Size())
	args := append(c.coded(), c.weight(), n)
	if w.DType == ir.Int8 {
		args = append(args, int32(w.Shape.Cols()))
	}
	return sequence(c.launchElem("decode_"+codeName(w.DType), elementGrid(n), elementBlock, 0, args...), run)
}

// coded are the arguments of kernels that say what weight 1 is made of.
func (c *call) coded() []any {
	args := []any{c.in(1)}
	if d := c.In[1].DType; d == ir.NF4 || d == ir.NF4Double {
		args = append(args, c.codeTables())
	}
	return args
}

// codeName is a type of weights in the names of kernels.
func codeName(d ir.DType) string { return strings.ReplaceAll(d.String(), "-", "_") }

// codeTables returns device memory with the values of NF4's codes and of the dynamic map.
func (c *call) codeTables() cuda.Ptr {
	nf4, dynamic := quant.NF4(), quant.Dynamic()
	values := append(nf4[:], dynamic[:]...)
	words := make([]uint64, len(values)/2)
	for i := range words {
		words[i] = uint64(math.Float32bits(values[2*i])) | uint64(math.Float32bits(values[2*i+1]))<<32
	}
	return c.table(words)
}

// bindLookup is Embedding of a table that is not float32.
func bindLookup(c *call) func() {
	n, vocab, d := c.In[0].Shape.Size(), c.In[1].Shape[0], c.In[1].Shape[1]
	fault, id := c.checks("id", vocab)
	args := append(append([]any{c.in(0)}, c.coded()...), c.out(0), fault, id, int32(n), int32(vocab), int32(d))
	return c.launchElem("lookup_"+codeName(c.In[1].DType), cuda.Dim{X: blocks(n, warpRows), Y: 1, Z: 1}, spanRows, 0, args...)
}
