package plan

import "example.com/gotrain/autograd/ir"

// recompute lets the backward pass read clones of a block's activations. A
// clone is made just before the first backward instruction that needs it,
// together with what it needs in turn. Kept are the values that enter a block,
// those that leave it for another part of the forward pass, and results of
// instructions that change state, read state that changes before the
// backward pass ends, or are of several ranks. Clones have the attributes and random keys
// of their originals, so that they compute the same bits, dropout included.
func recompute(p *ir.Program, _ Options) {
	r := &recomputer{p: p, def: make([]*ir.Instr, len(p.Values)), clone: map[*ir.Value]*ir.Value{}}
	kept := rootOutputs(p) // by root
	for _, in := range p.Instrs {
		if in.Block < 0 || in.Backward || in.Meets() {
			continue
		}
		for _, v := range in.Out {
			if v != nil {
				r.def[v.ID] = in
			}
		}
	}
	for _, in := range p.Instrs {
		for _, v := range in.In {
			if v != nil && r.def[v.ID] != nil && !in.Backward && in.Block != r.def[v.ID].Block {
				kept[v.Root().ID] = true
			}
		}
	}
	changing := stateWrittenInBackward(p)
	for id, in := range r.def {
		if in != nil && (kept[p.Values[id].Root().ID] || touchesAny(in, changing)) {
			r.def[id] = nil
		}
	}
	for _, in := range p.Instrs {
		if in.Backward {
			for j, v := range in.In {
				in.In[j] = r.again(v)
			}
		}
		r.out = append(r.out, in)
	}
	p.Instrs = r.out
}

// stateWrittenInBackward returns the states that change up to the end of the
// backward pass; parameters change behind it.
func stateWrittenInBackward(p *ir.Program) map[*ir.Value]bool {
	n := len(p.Instrs)
	for n > 0 && !p.Instrs[n-1].Backward {
		n--
	}
	roots := map[*ir.Value]bool{}
	for _, in := range p.Instrs[:n] {
		eachState(in, func(root *ir.Value, write bool) {
			if write {
				roots[root] = true
			}
		})
	}
	return roots
}

func touchesAny(in *ir.Instr, roots map[*ir.Value]bool) bool {
	found := false
	eachState(in, func(root *ir.Value, _ bool) { found = found || roots[root] })
	return found
}

type recomputer struct {
	p     *ir.Program
	def   []*ir.Instr // by value ID: the instruction to clone; nil: keep the value
	clone map[*ir.Value]*ir.Value
	out   []*ir.Instr
}

// again returns the value to read in place of v in the backward pass.
func (r *recomputer) again(v *ir.Value) *ir.Value {
	if v == nil || v.ID >= len(r.def) || r.def[v.ID] == nil {
		return v
	}
	if c := r.clone[v]; c != nil {
		return c
	}
	in := r.def[v.ID]
	c := *in
	c.In = make([]*ir.Value, len(in.In))
	for j, x := range in.In {
		c.In[j] = r.again(x)
	}
	c.Out = make([]*ir.Value, len(in.Out))
	for j, y := range in.Out {
		if y != nil {
			c.Out[j] = r.p.NewValue(ir.Temp, y.Name, y.DType, y.Shape...)
			r.clone[y] = c.Out[j]
		}
	}
	r.out = append(r.out, &c)
	return r.clone[v]
}
