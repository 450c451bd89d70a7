//go:build gpu

package backend

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/cuda"
)

// unit is what the kernels of shape.cu move at a time: 16, 4 or 2 bytes.
type unit int64

// unitOf returns the largest unit that divides all of bytes.
func unitOf(bytes ...int64) unit {
	var bits int64
	for _, b := range bytes {
		bits |= b
	}
	switch {
	case bits%16 == 0:
		return 16
	case bits%4 == 0:
		return 4
	}
	return 2
}

// kernel returns the name of a kernel that moves units.
func (u unit) kernel(name string) string { return fmt.Sprintf("%s_b%d", name, 8*u) }

// grid is the grid of a kernel that moves n units, one a thread.
func (u unit) grid(n int64) cuda.Dim { return elementGrid(8 * n) }

// rows is a matrix in memory: rows that are pitch bytes apart.
type rows struct {
	ptr   cuda.Ptr
	pitch int64
}

// copyRows returns the closure that copies n rows of width bytes.
func (c *call) copyRows(to, from rows, n, width int64) func() {
	if n == 1 || to.pitch == width && from.pitch == width {
		return c.copy(to.ptr, from.ptr, n*width)
	}
	u := unitOf(width, to.pitch, from.pitch, int64(to.ptr), int64(from.ptr))
	s := int64(u)
	return c.launch(u.kernel("copy_rows"), u.grid(n*width/s), elementBlock, 0,
		from.ptr, to.ptr, n, width/s, from.pitch/s, to.pitch/s)
}

// split returns the shape of v cut before axis: the number of rows and their
// bytes.
func split(v *ir.Value, axis int) (n, bytes int64) {
	n = int64(v.Shape[:axis].Size())
	return n, v.Bytes() / n
}

func bindSlice(c *call) func() {
	a := c.Attrs.(ir.SliceAttrs)
	n, from := split(c.In[0], a.Axis)
	_, to := split(c.Out[0], a.Axis)
	start := from / int64(c.In[0].Shape[a.Axis]) * int64(a.Start)
	return c.copyRows(rows{c.out(0), to}, rows{c.in(0) + cuda.Ptr(start), from}, n, to)
}

func bindSliceBackward(c *call) func() {
	a := c.Attrs.(ir.SliceAttrs)
	n, from := split(c.In[0], a.Axis)
	_, to := split(c.Out[0], a.Axis)
	start := to / int64(c.Out[0].Shape[a.Axis]) * int64(a.Start)
	u := unitOf(from, to, start)
	s := int64(u)
	return c.launch(u.kernel("pad_rows"), u.grid(n*to/s), elementBlock, 0, c.in(0), c.out(0), n, from/s, to/s, start/s)
}

func bindConcat(c *call) func() {
	a := c.Attrs.(ir.ConcatAttrs)
	n, to := split(c.Out[0], a.Axis)
	y := c.out(0)
	var parts []func()
	for i := range c.In {
		_, from := split(c.In[i], a.Axis)
		parts = append(parts, c.copyRows(rows{y, to}, rows{c.in(i), from}, n, from))
		y += cuda.Ptr(from)
	}
	return sequence(parts...)
}

// bindTranspose copies rows where the innermost axis stays; else y is a grid of
// transposed matrices.
func bindTranspose(c *call) func() {
	size, stride := c.In[0].Shape.Transposed(c.Attrs.(ir.TransposeAttrs).Perm)
	last := len(size) - 1
	if stride[last] != 1 {
		return c.transposeMatrices(size, stride)
	}
	elem, width := int64(c.elem().Bits()/8), int64(size[last])
	u := unitOf(width * elem) // divides the strides too: they are multiples of width
	perUnit := int64(u) / elem
	var source lattice
	for a := range last {
		source = append(source, [2]int{size[a], stride[a] / int(perUnit)})
	}
	if last == 0 {
		return c.copy(c.out(0), c.in(0), c.Out[0].Bytes())
	}
	width /= perUnit
	n := int64(source.count())
	return c.launch(u.kernel("gather_rows"), u.grid(n*width), elementBlock, 0,
		c.in(0), c.out(0), n, width, c.lattice(source), int32(len(source)))
}

// transposeTile is the side of the tiles of shape.cu.
const transposeTile = 32

// transposeMatrices starts a block for each tile of each matrix. Axis in of y is
// the innermost of x; size and stride list the axes of y, merged, with their
// strides in x.
func (c *call) transposeMatrices(size, stride []int) func() {
	last, in := len(size)-1, 0
	for stride[in] != 1 {
		in++
	}
	pitch := 1 // of y along axis in
	for _, s := range size[in+1:] {
		pitch *= s
	}
	var from, to lattice
	step := c.Out[0].Shape.Size()
	for a := range last {
		step /= size[a]
		if a != in {
			from = append(from, [2]int{size[a], stride[a]})
			to = append(to, [2]int{size[a], step})
		}
	}
	tiles := from.count() * blocks(size[last], transposeTile) * blocks(size[in], transposeTile)
	return c.launchElem("transpose", cuda.Dim{X: tiles, Y: 1, Z: 1}, cuda.Dim{X: transposeTile, Y: 8, Z: 1}, 0,
		c.in(0), c.out(0), int64(size[last]), int64(size[in]), int64(stride[last]), int64(pitch),
		c.lattice(from), c.lattice(to), int32(len(from)))
}
