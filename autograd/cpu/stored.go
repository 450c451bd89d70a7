package cpu

import (
	"fmt"

	"example.com/gotrain/autograd/cpu/kernel"
	"example.com/gotrain/autograd/quant"
)

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
