package ir

import "slices"

// Prune drops the instructions whose results nothing uses, that change no state and
// in which no other rank takes part, and sets the unused optional outputs of the
// others to nil: MatMul's pre, LinearCrossEntropy's dx and dw in programs without a
// backward pass.
func (p *Program) Prune() {
	used := make([]bool, len(p.Values))
	for _, v := range p.Outputs {
		used[v.ID] = true
	}
	for i, in := range slices.Backward(p.Instrs) {
		live := in.WritesState() || in.Meets()
		for _, v := range in.Out {
			live = live || v != nil && used[v.ID]
		}
		if !live {
			p.Instrs[i] = nil
			continue
		}
		info := &Kinds[in.Kind]
		for j, v := range in.Out {
			if v != nil && !used[v.ID] && v.Class == Temp && info.Out[j].Optional && !info.Whole {
				in.Out[j] = nil
			}
		}
		for _, v := range in.In {
			if v != nil {
				used[v.ID] = true
			}
		}
	}
	p.Instrs = slices.DeleteFunc(p.Instrs, func(in *Instr) bool { return in == nil })
}

// WritesState tells whether an instruction changes persistent state.
func (in *Instr) WritesState() bool {
	if len(Kinds[in.Kind].Mutates) > 0 {
		return true
	}
	return slices.ContainsFunc(in.Out, func(v *Value) bool { return v != nil && v.Class == State })
}

// Meets tells whether ranks do the instruction together.
func (in *Instr) Meets() bool {
	info := &Kinds[in.Kind]
	return info.Collective || info.Awaits
}
