package optest

import (
	"math"

	"example.com/gotrain/autograd/ir"
)

func defineScaleColumns(d *definition) {
	x, s, b := d.in[0], d.in[1], d.in[2]
	for i := range x {
		d.out[0][i] = x[i] * s[i%len(s)]
		if b != nil {
			d.out[0][i] += b[i%len(s)]
		}
	}
}

func defineInverseNorms(d *definition) {
	attrs := d.c.attrs.(ir.InverseNormsAttrs)
	a, w, b, y := d.in[0], d.in[1], d.in[2], d.out[0]
	out := len(y)
	rank := len(b) / out
	in := len(a) / rank
	for o := range y {
		var squares float64
		for i := range in {
			at := o*in + i
			if attrs.InOut {
				at = i*out + o
			}
			x := w[at]
			for k := range rank {
				x += float64(attrs.Scale) * b[o*rank+k] * a[k*in+i]
			}
			squares += x * x
		}
		if y[o] = 0; squares > 0 {
			y[o] = 1 / math.Sqrt(squares)
		}
	}
}
