package plan

import "gotrain/autograd/ir"

// dce drops the instructions whose results nothing uses, that change no state
// and in which no other rank takes part, and sets the unused optional outputs of the others to nil: MatMul's
// pre, LinearCrossEntropy's dx and dw in programs without a backward pass.
func dce(p *ir.Program, _ Options) {
	used := outputs(p)
	for i := len(p.Instrs) - 1; i >= 0; i-- {
		in := p.Instrs[i]
		live := writesState(in) || meets(in)
		for _, v := range in.Out {
			live = live || v != nil && used[v.ID]
		}
		if !live {
			p.Instrs[i] = nil
			continue
		}
		for j, v := range in.Out {
			if v != nil && !used[v.ID] && v.Class == ir.Temp && optional(in, j) {
				in.Out[j] = nil
			}
		}
		for _, v := range in.In {
			if v != nil {
				used[v.ID] = true
			}
		}
	}
}
