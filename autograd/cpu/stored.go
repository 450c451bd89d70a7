package cpu

import (
	"fmt"
	"unsafe"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/cpu/vec"
	"example.com/gotrain/autograd/quant"
)

// decodeKernels are the loops that decode stored weights: those of quant, bfloat16 by v.
func decodeKernels(v *vec.Impl) quant.Kernels {
	k := quant.Generic()
	k.BF16 = func(dst []float32, src []byte) {
		if len(dst) > 0 {
			v.FromBF16(dst, unsafe.Slice((*vec.BF16)(unsafe.Pointer(&src[0])), len(dst)))
		}
	}
	return k
}

// weight returns input i: its elements where they are float32 in memory, else what decodes
// parts of it.
func (c *call) weight(i int) (floats []float32, read kernel.Reader) {
	v := c.In[i]
	if !v.Stored() {
		return c.x(i), nil
	}
	m, err := quant.View(v.DType, v.Shape, bytesOf(c.args.In[i]))
	if err != nil {
		panic(fmt.Sprintf("cpu: %s: %v", c.Kind, err)) // regions have the size of their values
	}
	kernels, width := c.decode, v.Shape.Cols()
	return nil, func(dst []float32, row, rows, col, cols int) {
		for r := range rows {
			m.Decode(&kernels, dst[r*cols:][:cols], (row+r)*width+col)
		}
	}
}
