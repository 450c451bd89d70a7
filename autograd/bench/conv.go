package bench

import (
	"fmt"

	"example.com/gotrain/autograd/ir"
)

// convolutions are a convolution of 3 × 3 pixels over pictures of side × side, as U-Nets have
// them, and its gradients of the pictures and of the weights.
func convolutions(batch, side, in, out int) []Case {
	rows := batch * side * side
	attrs := ir.ConvAttrs{Batch: batch, Height: side, Width: side, Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}, Groups: 1}
	name := fmt.Sprintf(" %d × %d × %d, %d → %d", batch, side, side, in, out)
	shape := Shape{Batch: batch, Side: side, In: in, Out: out}
	of := func(kind ir.Kind, emit func(p *ir.Program) *ir.Instr) Case {
		return Case{Name: kind.String() + name, Kind: kind, Shape: shape, FLOPs: 2 * 9 * float64(rows) * float64(in) * float64(out), emit: func(p *ir.Program) {
			i := emit(p)
			i.Kind, i.Block, i.Attrs = kind, -1, attrs
			p.Emit(i)
			p.Outputs = i.Out
		}}
	}
	return []Case{
		of(ir.Conv, func(p *ir.Program) *ir.Instr {
			return &ir.Instr{
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, rows, in), p.NewValue(ir.State, "w", ir.F32, out, 3, 3, in), nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "y", ir.F32, rows, out)},
			}
		}),
		of(ir.ConvInput, func(p *ir.Program) *ir.Instr {
			return &ir.Instr{
				In:  []*ir.Value{p.NewValue(ir.State, "dy", ir.F32, rows, out), p.NewValue(ir.State, "w", ir.F32, out, 3, 3, in), nil, nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dx", ir.F32, rows, in)},
			}
		}),
		of(ir.ConvWeights, func(p *ir.Program) *ir.Instr {
			return &ir.Instr{
				In:  []*ir.Value{p.NewValue(ir.State, "x", ir.F32, rows, in), p.NewValue(ir.State, "dy", ir.F32, rows, out), nil},
				Out: []*ir.Value{p.NewValue(ir.Temp, "dw", ir.F32, out, 3, 3, in)},
			}
		}),
	}
}
