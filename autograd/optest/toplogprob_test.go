package optest

import (
	"fmt"
	"math"
	"slices"

	"example.com/gotrain/autograd"
	"example.com/gotrain/autograd/ir"
)

// classes draws k different classes of v for each of n rows; every third row asks for none,
// and others lack one.
func classes(v, k, n int) arg {
	a := arg{shape: ir.Shape{n, k}, ints: make([]int32, 0, n*k)}
	for row := range n {
		order := draw.Perm(v)[:k]
		for i, c := range order {
			if row%3 == 1 || row%5 == 4 && i == k-1 && i > 0 {
				c = -1
			}
			a.ints = append(a.ints, int32(c))
		}
	}
	return a
}

func topLogProbCases() []opCase {
	var list []opCase
	for _, l := range []struct {
		name             string
		n, v, d, k, rows int
		scale            float32
	}{
		{"one", 1, 1, 1, 1, 1, 1},
		{"whole", 7, 11, 5, 11, 3, 0.5},
		{"all but one", 7, 11, 5, 10, 3, 2},
		{"chunks", 150, 300, 33, 20, 64, 1},
		{"wide", 3, 2056, 4, 300, 2, 0.5},
	} {
		attrs := ir.LinearTopLogProbAttrs{Scale: l.scale, Rest: l.k < l.v, Rows: l.rows}
		n, v, d := l.n, l.v, l.d
		y := s(n, l.k)
		if attrs.Rest {
			y[1]++
		}
		x, w := s(n, d), s(v, d)
		for _, precision := range []ir.DType{ir.F32, ir.BF16} {
			name := l.name
			if precision == ir.BF16 {
				attrs.Compute = precision
				name += " bf16"
			}
			list = append(list,
				opCase{name, ir.LinearTopLogProb, attrs, []arg{normal(n, d), normal(v, d), classes(v, l.k, n)}, []ir.Shape{y}},
				opCase{name, ir.LinearTopLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), classes(v, l.k, n), normal(y...), none}, []ir.Shape{x, w}})
		}
		attrs.Compute = ir.F32
		list = append(list,
			opCase{l.name + " addend", ir.LinearTopLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), classes(v, l.k, n), normal(y...), normal(v, d)}, []ir.Shape{x, w}},
			opCase{l.name + " dx only", ir.LinearTopLogProbBackward, attrs, []arg{normal(n, d), normal(v, d), classes(v, l.k, n), normal(y...), none}, []ir.Shape{x, nil}})
	}
	return append(list, opCase{"dw only", ir.LinearTopLogProbBackward, ir.LinearTopLogProbAttrs{Scale: 2, Rows: 3},
		[]arg{normal(7, 5), normal(11, 5), classes(11, 11, 7), normal(7, 11), none}, []ir.Shape{nil, s(11, 5)}})
}

func defineLinearTopLogProb(d *definition) {
	a, k := d.c.attrs.(ir.LinearTopLogProbAttrs), d.c.in[2].shape[1]
	width := d.c.out[0][1]
	for r := range d.c.in[0].shape[0] {
		asked := d.ids(2)[r*k:][:k]
		if asked[0] < 0 {
			continue
		}
		z := d.scaledLogits(r, a.Scale)
		lse, rest := logSumExp(z), 0.0
		for i, e := range z {
			if j := slices.Index(asked, int32(i)); j >= 0 {
				d.out[0][r*width+j] = e - lse
			} else {
				rest += math.Exp(e - lse)
			}
		}
		if a.Rest {
			d.out[0][r*width+k] = math.Log(rest)
		}
	}
}

func defineLinearTopLogProbBackward(d *definition) {
	a, n, v, k := d.c.attrs.(ir.LinearTopLogProbAttrs), d.c.in[0].shape[0], d.c.in[1].shape[0], d.c.in[2].shape[1]
	width := d.c.in[3].shape[1]
	grad := make([]float64, n*v)
	for r := range n {
		asked := d.ids(2)[r*k:][:k]
		if asked[0] < 0 {
			continue
		}
		z, dy := d.scaledLogits(r, a.Scale), d.in[3][r*width:][:width]
		lse := logSumExp(z)
		sum, rest := 0.0, 0.0
		for i, c := range asked {
			if c >= 0 {
				sum += dy[i]
			}
		}
		for i, e := range z {
			if !slices.Contains(asked, int32(i)) {
				rest += math.Exp(e - lse)
			}
		}
		others := 0.0
		if a.Rest {
			sum += dy[k]
			others = dy[k] / rest
		}
		for i, e := range z {
			g := others * math.Exp(e-lse)
			if j := slices.Index(asked, int32(i)); j >= 0 {
				g = dy[j]
			}
			grad[r*v+i] = float64(a.Scale) * (g - sum*math.Exp(e-lse))
		}
	}
	d.products(grad)
}

func topLogProbGradients() []gradientCase {
	var list []gradientCase
	for _, temperature := range []float32{0, 2} {
		for k, asked := range map[int][]int32{2: {2, 4, -1, 0, 1, -1, 0, 3}, 5: {0, 1, 2, 3, 4, 4, 3, 2, 1, 0, -1, 0, 0, 0, 0, 1, 0, 2, 3, 4}} {
			in := arg{shape: ir.Shape{4, k}, ints: asked}
			list = append(list, gradientCase{name: fmt.Sprintf("LinearTopLogProb %d temperature=%g", k, temperature), kinds: []ir.Kind{ir.LinearTopLogProb}, params: []arg{normal(4, 3), normal(5, 3)},
				build: func(_ *autograd.Graph, p, in []*node) *node {
					return autograd.LinearTopLogProb(p[0], p[1], in[0], temperature)
				},
			}.with("classes", in))
		}
	}
	return list
}
