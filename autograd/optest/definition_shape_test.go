package optest

import "example.com/gotrain/autograd/ir"

func defineAdd(d *definition) {
	for i, a := range d.in[0] {
		d.out[0][i] = a + d.in[1][i]
	}
}

func defineMul(d *definition) {
	for i, a := range d.in[0] {
		d.out[0][i] = a * d.in[1][i]
	}
}

func defineScale(d *definition) {
	attrs := d.c.attrs.(ir.ScaleAttrs)
	for i, x := range d.in[0] {
		d.out[0][i] = float64(attrs.Alpha) * x
	}
}

func defineScaleBy(d *definition) {
	for i, x := range d.in[0] {
		d.out[0][i] = d.in[1][0] * x
	}
}

func defineReshape(d *definition) { copy(d.out[0], d.in[0]) }

// indices returns the index of element i of a tensor along each axis.
func indices(shape ir.Shape, i int) []int {
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a] = i % shape[a]
		i /= shape[a]
	}
	return index
}

// position is the inverse of indices.
func position(shape ir.Shape, index []int) int {
	i := 0
	for a, n := range shape {
		i = i*n + index[a]
	}
	return i
}

func defineTranspose(d *definition) {
	attrs := d.c.attrs.(ir.TransposeAttrs)
	from, to := d.c.in[0].shape, d.c.out[0]
	for i := range d.out[0] {
		index := make([]int, len(to))
		for a, x := range indices(to, i) {
			index[attrs.Perm[a]] = x
		}
		d.out[0][i] = d.in[0][position(from, index)]
	}
}

func defineSlice(d *definition) {
	attrs := d.c.attrs.(ir.SliceAttrs)
	for i := range d.out[0] {
		index := indices(d.c.out[0], i)
		index[attrs.Axis] += attrs.Start
		d.out[0][i] = d.in[0][position(d.c.in[0].shape, index)]
	}
}

func defineSliceBackward(d *definition) {
	attrs := d.c.attrs.(ir.SliceAttrs)
	for i, x := range d.in[0] {
		index := indices(d.c.in[0].shape, i)
		index[attrs.Axis] += attrs.Start
		d.out[0][position(d.c.out[0], index)] = x
	}
}

func defineConcat(d *definition) {
	attrs := d.c.attrs.(ir.ConcatAttrs)
	start := 0
	for p, x := range d.in {
		shape := d.c.in[p].shape
		for i, e := range x {
			index := indices(shape, i)
			index[attrs.Axis] += start
			d.out[0][position(d.c.out[0], index)] = e
		}
		start += shape[attrs.Axis]
	}
}

func defineReduceSum(d *definition) {
	attrs := d.c.attrs.(ir.ReduceAttrs)
	for i, x := range d.in[0] {
		index := indices(d.c.in[0].shape, i)
		for a := range index {
			if attrs.Axes[a] {
				index[a] = 0
			}
		}
		d.out[0][position(d.c.out[0], index)] += float64(attrs.Alpha) * x
	}
}

func defineBroadcast(d *definition) {
	attrs := d.c.attrs.(ir.ScaleAttrs)
	from := d.c.in[0].shape
	for i := range d.out[0] {
		index := indices(d.c.out[0], i)
		for a := range index {
			if from[a] == 1 {
				index[a] = 0
			}
		}
		d.out[0][i] = float64(attrs.Alpha) * d.in[0][position(from, index)]
	}
}

func defineCast(d *definition) {
	for i, x := range d.in[0] {
		d.out[0][i] = float64(roundBF16(float32(x)))
	}
}

func defineToFloat(d *definition) {
	attrs := d.c.attrs.(ir.ToFloatAttrs)
	for i, x := range d.c.in[0].ints {
		d.out[0][i] = float64(attrs.Scale)*float64(x) + float64(attrs.Shift)
	}
}
