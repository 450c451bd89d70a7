package optest

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// adapterCases are those of kinds that adapters of models have alone.
func adapterCases() []opCase {
	var list []opCase
	for _, shape := range []ir.Shape{{1, 1}, {3, 21}, {300, 101}, {5, 768}} {
		d := shape[1]
		list = append(list,
			opCase{shape.String(), ir.ScaleColumns, nil, []arg{normal(shape...), normal(d), none}, []ir.Shape{shape}},
			opCase{shape.String() + " bias", ir.ScaleColumns, nil, []arg{normal(shape...), normal(d), normal(d)}, []ir.Shape{shape}})
	}
	for _, x := range []struct{ out, in, rank int }{{1, 1, 1}, {33, 67, 3}, {150, 520, 4}} {
		for _, inOut := range []bool{false, true} {
			w := normal(x.out, x.in)
			if inOut {
				w = normal(x.in, x.out)
			}
			for _, d := range append([]ir.DType{ir.F32}, storedTypes...) {
				name, weight := fmt.Sprintf("%dx%dx%d inOut=%t %s", x.out, x.in, x.rank, inOut, d), w
				if d != ir.F32 {
					weight = storedAs(d, w)
				}
				list = append(list, opCase{name, ir.InverseNorms, ir.InverseNormsAttrs{Scale: 0.5, InOut: inOut},
					[]arg{normal(x.rank, x.in), weight, normal(x.out, x.rank)}, []ir.Shape{s(x.out)}})
			}
		}
	}
	zero := arg{shape: s(1, 1), floats: []float32{0}}
	return append(list, opCase{"zeros", ir.InverseNorms, ir.InverseNormsAttrs{Scale: 1}, []arg{zero, zero, zero}, []ir.Shape{s(1)}})
}
