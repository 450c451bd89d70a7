package plan_test

import (
	"fmt"
	"os"

	"example.com/gotrain/autograd/ir"
	"example.com/gotrain/autograd/plan"
)

// A layer y = x + relu(x·wᵀ + b)·vᵀ: the activation and the residual become
// part of the products, and two buffers are left of four.
func ExampleBuild() {
	p := &ir.Program{Name: "layer"}
	x := p.NewValue(ir.Input, "x", ir.F32, 64, 16)
	w := p.NewValue(ir.State, "w", ir.F32, 32, 16)
	b := p.NewValue(ir.State, "b", ir.F32, 32)
	v := p.NewValue(ir.State, "v", ir.F32, 16, 32)

	emit := func(kind ir.Kind, attrs ir.Attrs, cols int, in ...*ir.Value) *ir.Value {
		out := []*ir.Value{p.NewValue(ir.Temp, "", ir.F32, 64, cols)}
		if kind == ir.MatMul {
			out = append(out, nil, nil) // pre, sum
		}
		p.Emit(&ir.Instr{Kind: kind, Attrs: attrs, In: in, Out: out, Block: -1})
		return out[0]
	}
	h := emit(ir.MatMul, ir.MatMulAttrs{TransB: true}, 32, x, w, b, nil, nil)
	h = emit(ir.Activation, ir.ActivationAttrs{Act: ir.ReLU}, 32, h)
	h = emit(ir.MatMul, ir.MatMulAttrs{TransB: true}, 16, h, v, nil, nil, nil)
	p.Outputs = []*ir.Value{emit(ir.Add, nil, 16, x, h)}

	pl, err := plan.Build(p, plan.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pl.Program.Dump(os.Stdout); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("arena", pl.Arena, "state", pl.State, "inputs", pl.Inputs, "peak", pl.Peak())
	// Output:
	// program layer
	//   %0:f32(64, 32), _, _ = MatMul(x, w, b, _, _) {TransB=true Act=relu}
	//   %1:f32(64, 16), _, _ = MatMul(%0, v, _, x, _) {TransB=true}
	//   return %1
	// arena 12288 state 4224 inputs 4096 peak 20608
}
